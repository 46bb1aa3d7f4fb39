import { E } from "../abi/errno.ts";
import { POLLIN, S_IFDIR, S_IFMT } from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { textToBytes } from "../trace/text.ts";
import { AnonymousFile } from "./event_files.ts";
import { emptyStat } from "./open_file.ts";

/** IN_* of include/uapi/linux/inotify.h. */
// deno-fmt-ignore
export const IN = {
  ACCESS: 1, MODIFY: 2, ATTRIB: 4, CLOSE_WRITE: 8, CLOSE_NOWRITE: 0x10, OPEN: 0x20, MOVED_FROM: 0x40, MOVED_TO: 0x80, CREATE: 0x100,
  DELETE: 0x200, DELETE_SELF: 0x400, MOVE_SELF: 0x800, Q_OVERFLOW: 0x4000, IGNORED: 0x8000, ONLYDIR: 0x100_0000, DONT_FOLLOW: 0x200_0000,
  EXCL_UNLINK: 0x400_0000, MASK_CREATE: 0x1000_0000, MASK_ADD: 0x2000_0000, ISDIR: 0x4000_0000, ONESHOT: 0x8000_0000,
} as const;
const ALL_EVENTS = 0xfff;
/** fs.inotify: events that wait before one more becomes an overflow, watches and instances of a user (here of the machine). */
export const MAX_QUEUED_EVENTS = 16384, MAX_USER_WATCHES = 65536, MAX_USER_INSTANCES = 128;

interface Watch {
  readonly owner: Inotify;
  readonly id: number;
  readonly key: string;
  mask: number;
}

/** Who watches which file, by "device:inode". What programs of this machine do is told; changes made on the host are not. */
export class Watches {
  readonly #byFile = new Map<string, Set<Watch>>();
  #cookie = 0;
  #count = 0;
  /** inotify descriptions that are open. */
  instances = 0;

  get full(): boolean {
    return this.#count >= MAX_USER_WATCHES;
  }

  /** Nobody watches anything: file operations need not tell. */
  get none(): boolean {
    return this.#byFile.size === 0;
  }

  nextCookie(): number {
    return ++this.#cookie;
  }

  find(key: string, owner: Inotify): Watch | undefined {
    for (const watch of this.#byFile.get(key) ?? []) if (watch.owner === owner) return watch;
    return undefined;
  }

  add(watch: Watch): void {
    this.#count++;
    const set = this.#byFile.get(watch.key);
    if (set === undefined) this.#byFile.set(watch.key, new Set([watch]));
    else set.add(watch);
  }

  remove(watch: Watch): void {
    const set = this.#byFile.get(watch.key);
    if (set?.delete(watch)) this.#count--;
    if (set?.size === 0) this.#byFile.delete(watch.key);
  }

  send(key: string, mask: number, name: string, cookie: number): void {
    for (const watch of [...this.#byFile.get(key) ?? []]) watch.owner.deliver(watch, mask, name, cookie);
  }
}

/** Tells the watchers of a name's directory and of the file itself. Call before the name goes, after it came. */
export function tellName(t: Thread, dir: number, path: string, mask: number, self = 0, cookie = 0): void {
  const { watches } = t.os;
  if (watches.none) return;
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const name = trimmed.slice(slash + 1);
  const parent = slash < 0 ? "." : slash === 0 ? "/" : trimmed.slice(0, slash);
  const stat = emptyStat();
  const known = t.fs.stat(dir, path, false, stat) >= 0;
  const isDir = known && (stat.mode & S_IFMT) === S_IFDIR ? IN.ISDIR : 0;
  const own = `${stat.dev}:${stat.ino}`;
  // The directory is told first: fsnotify_parent().
  if (mask !== 0 && t.fs.stat(dir, parent, true, stat) >= 0) watches.send(`${stat.dev}:${stat.ino}`, mask | isDir, name, cookie);
  if (known && self !== 0) watches.send(own, self | isDir, "", 0);
}

/** Tells about an open file, by the path it has now. */
export function tellFile(t: Thread, dev: number, ino: number, path: () => string, mask: number): void {
  const { watches } = t.os;
  if (watches.none) return;
  const name = path();
  if (name.startsWith("/")) tellName(t, 0, name, mask);
  watches.send(`${dev}:${ino}`, mask, "", 0);
}

export class Inotify extends AnonymousFile {
  readonly #os: Personality;
  #next = 1;
  readonly #watches = new Map<number, Watch>();
  readonly #events: { id: number; mask: number; cookie: number; name: string }[] = [];

  constructor(os: Personality, flags: number) {
    super(os, flags);
    this.#os = os;
    os.watches.instances++;
  }

  override get path(): string {
    return "anon_inode:inotify";
  }

  /** inotify_add_watch(2). */
  watch(key: string, mask: number): number {
    const known = this.#os.watches.find(key, this);
    if (known !== undefined) {
      if ((mask & IN.MASK_CREATE) !== 0) return -E.EEXIST;
      known.mask = (mask & IN.MASK_ADD) !== 0 ? known.mask | mask : mask;
      return known.id;
    }
    if (this.#os.watches.full) return -E.ENOSPC;
    const watch: Watch = { owner: this, id: this.#next++, key, mask };
    this.#watches.set(watch.id, watch);
    this.#os.watches.add(watch);
    return watch.id;
  }

  remove(id: number): number {
    const watch = this.#watches.get(id);
    if (watch === undefined) return -E.EINVAL;
    this.#drop(watch);
    return 0;
  }

  #drop(watch: Watch): void {
    this.#watches.delete(watch.id);
    this.#os.watches.remove(watch);
    this.#push(watch.id, IN.IGNORED, "", 0);
  }

  deliver(watch: Watch, mask: number, name: string, cookie: number): void {
    if ((mask & watch.mask & ALL_EVENTS) === 0) return;
    this.#push(watch.id, mask, name, cookie);
    if ((watch.mask & IN.ONESHOT) !== 0 || (mask & IN.DELETE_SELF) !== 0) this.#drop(watch);
  }

  #push(id: number, mask: number, name: string, cookie: number): void {
    const last = this.#events.at(-1);
    // An event equal to the last one is merged with it.
    if (last !== undefined && last.id === id && last.mask === mask && last.name === name && cookie === 0) return;
    if (this.#events.length >= MAX_QUEUED_EVENTS) return;
    this.#events.push({ id, mask, cookie, name });
    this.queue.wakeAll();
  }

  /** Bytes of struct inotify_event and its name, which is padded to 16. */
  #size(name: string): number {
    return 16 + (name === "" ? 0 : Math.ceil((textToBytes(name).length + 1) / 16) * 16);
  }

  override readTo({ os }: Thread, pa: number, bytes: number): number {
    let done = 0;
    while (this.#events.length > 0) {
      const { id, mask, cookie, name } = this.#events[0];
      const size = this.#size(name);
      if (done + size > bytes) return done > 0 ? done : -E.EINVAL;
      os.u8.fill(0, pa + done, pa + done + size);
      os.data.setInt32(pa + done, id, true);
      os.data.setUint32(pa + done + 4, mask, true);
      os.data.setUint32(pa + done + 8, cookie, true);
      os.data.setUint32(pa + done + 12, size - 16, true);
      os.u8.set(textToBytes(name), pa + done + 16);
      done += size;
      this.#events.shift();
    }
    return done === 0 ? -E.EAGAIN : done;
  }

  override poll(): number {
    return this.#events.length > 0 ? POLLIN : 0;
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    if (request !== IOCTL.FIONREAD) return -E.ENOTTY;
    const bytes = this.#events.reduce((sum, event) => sum + this.#size(event.name), 0);
    return t.process.user.putU32(argument, bytes) ? 0 : -E.EFAULT;
  }

  protected override closed(): void {
    this.#os.watches.instances--;
    for (const watch of this.#watches.values()) this.#os.watches.remove(watch);
  }
}
