/** One client's session with the file service: unpacks requests, calls the namespace, packs replies. */
import { EBADF, EFAULT, EINVAL, ENODEV, ENOENT, ENOSYS, ENOTDIR, ERANGE } from "../host/errno.ts";
import type { HostEc, Utcb } from "../hedron/api.ts";
import type { FsStatfs } from "./api.ts";
import * as Attributes from "./attributes.ts";
import { directoryType, S_IFDIR, S_IFREG } from "./flags.ts";
import { Handles } from "./handles.ts";
import * as Rights from "./identity.ts";
import { type Identity, SUPERUSER } from "./identity.ts";
import { Last, type Namespace } from "./namespace.ts";
import type { Clock, Node, Ram } from "./node.ts";
import {
  DataWords,
  FIRST_LENGTH,
  FS_OP,
  LIST_BYTE,
  MAX_GROUPS_AT_ONCE,
  MAX_TEXT,
  putWide,
  SECOND_LENGTH,
  STAGED,
  STAT_AT,
  STAT_WORDS,
  TEXT_WORD,
  TIME_NOW,
  TIME_OMIT,
} from "./protocol.ts";
import { emptyStat } from "./empty_stat.ts";
import { decodeText, encodeText, textBytes } from "./text.ts";

const newStatfs = (): FsStatfs => ({ type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: false });
const ENTRY_HEADER = 10;
const DATA_BYTES = 4064;

/** Returns word 0 of the reply. */
type Operation = (session: Session, utcb: Utcb) => number;

export class Session {
  readonly handles: Handles;
  readonly stat = emptyStat();
  readonly statfs = newStatfs();
  readonly words = new DataWords();
  who: Identity = SUPERUSER;
  private root: Node;
  private readonly staged = [new Uint8Array(0), new Uint8Array(0)];

  /** The client may name memory in [window, window + bytes) only. */
  constructor(
    readonly names: Namespace,
    readonly window: number,
    readonly bytes: number,
    readonly sessions: () => Iterable<Session>,
    readonly clock: Clock,
    readonly ram: Ram,
  ) {
    this.handles = new Handles(names);
    this.root = names.top;
  }

  serve(ec: HostEc): void {
    this.names.who = this.who;
    this.names.root = this.root;
    const utcb = ec.utcb, operation: Operation | undefined = OPERATIONS[utcb.get(0)];
    utcb.untyped = 1;
    const result = operation === undefined ? -ENOSYS : operation(this, utcb);
    utcb.set(0, result);
  }

  /** chroot(): handle 0 is the root of everything. */
  setRoot(handle: number): number {
    const node = this.handles.node(handle);
    if (node === undefined || !node.isDirectory) return -EBADF;
    this.root = node;
    return 0;
  }

  mayUse(address: number, length: number): boolean {
    return length >= 0 && address >= this.window && address + length <= this.window + this.bytes;
  }

  first(utcb: Utcb): string {
    const length = utcb.get(FIRST_LENGTH);
    return length === STAGED ? this.takeStaged(0) : decodeText(utcb.bytes, TEXT_WORD * 8, Math.min(length, MAX_TEXT));
  }

  second(utcb: Utcb): string {
    const length = utcb.get(SECOND_LENGTH);
    if (length === STAGED) return this.takeStaged(1);
    const before = Math.min(Math.max(0, utcb.get(FIRST_LENGTH)), MAX_TEXT);
    return decodeText(utcb.bytes, TEXT_WORD * 8 + before, Math.min(length, MAX_TEXT - before));
  }

  stage(utcb: Utcb): number {
    const index = utcb.get(1) === 0 ? 0 : 1, length = Math.min(Math.max(0, utcb.get(FIRST_LENGTH)), MAX_TEXT);
    const old = utcb.get(2) === 1 ? new Uint8Array(0) : this.staged[index];
    // A path is at most 4096 bytes; what is longer fails whatever it says.
    const joined = new Uint8Array(Math.min(old.length + length, 2 * MAX_TEXT));
    joined.set(old);
    joined.set(utcb.bytes.subarray(TEXT_WORD * 8, TEXT_WORD * 8 + joined.length - old.length), old.length);
    this.staged[index] = joined;
    return 0;
  }

  private takeStaged(index: 0 | 1): string {
    const bytes = this.staged[index];
    return decodeText(bytes, 0, bytes.length);
  }

  /** The node that (dir, path) names; an empty path names `dir` itself. */
  find(dir: number, path: string, follow: boolean): Node | number {
    const start = this.handles.node(dir);
    if (start === undefined) return -EBADF;
    if (path === "") return start;
    const status = this.names.walk(start, path, follow ? Last.Follow : Last.NoFollow);
    return this.names.node ?? status;
  }
}

/** Runs `work` on the directory of argument 1. */
const at = (session: Session, utcb: Utcb, work: (start: Node) => number): number => {
  const start = session.handles.node(utcb.get(1));
  return start === undefined ? -EBADF : work(start);
};

const onNode = (session: Session, utcb: Utcb, follow: boolean, work: (node: Node) => number): number => {
  const node = session.find(utcb.get(1), session.first(utcb), follow);
  return typeof node === "number" ? node : work(node);
};

function packStat(session: Session, utcb: Utcb, node: Node): number {
  const stat = session.stat, status = node.stat(stat);
  if (status < 0) return status;
  const words = session.words.of(utcb.bytes);
  words[STAT_AT.DEV] = stat.dev;
  words[STAT_AT.MODE] = stat.mode;
  words[STAT_AT.NLINK] = stat.nlink;
  words[STAT_AT.UID] = stat.uid;
  words[STAT_AT.GID] = stat.gid;
  words[STAT_AT.RDEV] = stat.rdev;
  words[STAT_AT.BLKSIZE] = stat.blksize;
  putWide(words, STAT_AT.INO, stat.ino);
  putWide(words, STAT_AT.SIZE, stat.size);
  putWide(words, STAT_AT.BLOCKS, stat.blocks);
  putWide(words, STAT_AT.ATIME, stat.atime[0]);
  putWide(words, STAT_AT.MTIME, stat.mtime[0]);
  putWide(words, STAT_AT.CTIME, stat.ctime[0]);
  words[STAT_AT.ATIME_NS] = stat.atime[1];
  words[STAT_AT.MTIME_NS] = stat.mtime[1];
  words[STAT_AT.CTIME_NS] = stat.ctime[1];
  utcb.untyped = STAT_WORDS;
  return 0;
}

/** Text as a reply: its bytes from the one at `offset` on, as many as fit after word 0; the result is the length of the whole. */
function packText(utcb: Utcb, text: string | number, offset: number): number {
  if (typeof text === "number") return text;
  const length = offset === 0 ? encodeText(text, utcb.bytes, 8) : -1;
  if (length >= 0) {
    utcb.untyped = 1 + Math.ceil(length / 8);
    return length;
  }
  const bytes = new Uint8Array(textBytes(text));
  encodeText(text, bytes, 0);
  const part = bytes.subarray(offset, offset + DATA_BYTES - 8);
  utcb.bytes.set(part, 8);
  utcb.untyped = 1 + Math.ceil(part.length / 8);
  return bytes.length;
}

function list(session: Session, utcb: Utcb): number {
  const handle = session.handles.get(utcb.get(1));
  if (handle === undefined) return -EBADF;
  const directory = handle.node, cookie = utcb.get(2), max = utcb.get(3);
  if (!directory.isDirectory) return -ENOTDIR;
  if (directory.parent === undefined) return -ENOENT;
  if (cookie < 0) return -EINVAL;
  if (cookie === 0 || handle.listing === undefined) {
    const entries = directory.entries();
    if (typeof entries === "number") return entries;
    const shown = directory.mounts === undefined ? entries : entries.filter((entry) => !directory.mounts!.has(entry.name));
    const up = directory === session.names.root ? directory : directory.parent;
    const special: [string, Node][] = [[".", directory], ["..", up], ...(directory.mounts ?? [])];
    const head = special.map(([name, node]) => {
      node.stat(session.stat);
      return { name, ino: session.stat.ino, type: directoryType(S_IFDIR) };
    });
    handle.listing = [...head, ...shown];
  }
  let to = LIST_BYTE, count = 0;
  for (; count < max && cookie + count < handle.listing.length; count++) {
    const entry = handle.listing[cookie + count];
    if (to + ENTRY_HEADER + textBytes(entry.name) > DATA_BYTES) break;
    const low = entry.ino % 2 ** 32, high = Math.floor(entry.ino / 2 ** 32);
    for (let i = 0; i < 4; i++) {
      utcb.bytes[to + i] = low >>> 8 * i;
      utcb.bytes[to + 4 + i] = high >>> 8 * i;
    }
    utcb.bytes[to + 8] = entry.type;
    const length = encodeText(entry.name, utcb.bytes, to + ENTRY_HEADER);
    utcb.bytes[to + 9] = length;
    to += ENTRY_HEADER + length;
  }
  utcb.untyped = Math.ceil(to / 8);
  return count;
}

function link(session: Session, utcb: Utcb): number {
  const follow = utcb.get(3) === 1, to = session.handles.node(utcb.get(2)), toPath = session.second(utcb);
  if (to === undefined) return -EBADF;
  return onNode(session, utcb, follow, (node) => session.names.link(node, to, toPath));
}

function rename(session: Session, utcb: Utcb): number {
  const to = session.handles.node(utcb.get(2));
  if (to === undefined) return -EBADF;
  const from = session.first(utcb), toPath = session.second(utcb), flags = utcb.get(3);
  return at(session, utcb, (start) =>
    session.names.rename(start, from, to, toPath, flags, (node, parent, name) => {
      for (const other of session.sessions()) other.handles.moved(node, parent, name);
    }));
}

function time({ clock }: Session, utcb: Utcb, word: number): [number, number] | undefined {
  const nanoseconds = utcb.get(word + 1);
  if (nanoseconds === TIME_OMIT) return undefined;
  if (nanoseconds !== TIME_NOW) return [utcb.get(word), nanoseconds];
  clock.read();
  return [clock.seconds, clock.nanoseconds];
}

function utime(session: Session, utcb: Utcb): number {
  // The flag travels with the directory: words 2..5 are the times.
  const atime = time(session, utcb, 2), mtime = time(session, utcb, 4), dir = utcb.get(1), follow = dir % 2 === 1;
  const isNow = utcb.get(3) === TIME_NOW && utcb.get(5) === TIME_NOW;
  const node = session.find(Math.floor(dir / 2), session.first(utcb), follow);
  if (typeof node === "number") return node;
  if (atime === undefined && mtime === undefined) return 0;
  const status = Rights.mayTouch(session.who, node, isNow);
  return status < 0 ? status : node.utime(atime, mtime);
}

function read(session: Session, utcb: Utcb): number {
  const handle = session.handles.get(utcb.get(1));
  if (handle === undefined || !handle.readable) return -EBADF;
  const offset = utcb.get(2), address = utcb.get(3), length = utcb.get(4);
  if (!session.mayUse(address, length)) return -EFAULT;
  return offset < 0 ? -EINVAL : handle.node.read(offset, address, length);
}

function write(session: Session, utcb: Utcb): number {
  const handle = session.handles.get(utcb.get(1));
  if (handle === undefined || !handle.writable) return -EBADF;
  const offset = utcb.get(2), address = utcb.get(3), length = utcb.get(4);
  if (!session.mayUse(address, length)) return -EFAULT;
  if (length > 0) Rights.written(session.who, handle.node);
  return offset < -1 ? -EINVAL : handle.node.write(offset, address, length);
}

function truncate(session: Session, utcb: Utcb): number {
  const handle = session.handles.get(utcb.get(1)), size = utcb.get(2);
  if (handle === undefined) return -EBADF;
  if (!handle.writable || handle.node.type !== S_IFREG || size < 0) return -EINVAL;
  Rights.written(session.who, handle.node);
  return handle.node.truncate(size);
}

function statfs(session: Session, utcb: Utcb): number {
  const handle = session.handles.get(utcb.get(1)), out = session.statfs;
  if (handle === undefined) return -EBADF;
  const status = handle.node.fs.statfs(out);
  const words = [out.type, out.bsize, out.blocks, out.bfree, out.files, out.ffree, out.namelen, out.readOnly ? 1 : 0];
  words.forEach((word, i) => utcb.set(1 + i, word));
  utcb.untyped = 1 + words.length;
  return status;
}

/** Runs `work` on the node of an attribute request; memory it names has been checked. */
function attribute(session: Session, utcb: Utcb, work: (node: Node, address: number, bytes: number) => number): number {
  const dir = utcb.get(1), address = utcb.get(2), bytes = utcb.get(3);
  if (bytes !== 0 && !session.mayUse(address, bytes)) return -EFAULT;
  const node = session.find(Math.floor(dir / 2), session.first(utcb), dir % 2 === 1);
  return typeof node === "number" ? node : work(node, address, bytes);
}

/** `value` to the client's memory: its length, or -ERANGE when there is no room. */
function giveValue(session: Session, value: Uint8Array, address: number, bytes: number): number {
  if (bytes === 0 || value.length === 0) return value.length;
  if (value.length > bytes) return -ERANGE;
  session.ram.view(address, value.length).set(value);
  session.ram.changed(address, value.length);
  return value.length;
}

function listAttributes(session: Session, utcb: Utcb): number {
  return attribute(session, utcb, (node, address, bytes) => {
    const names = Attributes.list(session.who, node);
    if (typeof names === "number") return names;
    const text = names.map((name) => `${name}\0`).join(""), value = new Uint8Array(textBytes(text));
    encodeText(text, value, 0);
    return giveValue(session, value, address, bytes);
  });
}

/** Indexed by FS_OP. */
const OPERATIONS: Operation[] = [];
OPERATIONS[FS_OP.OPEN] = (session, utcb) => {
  const start = session.handles.node(utcb.get(1));
  return start === undefined ? -EBADF : session.handles.open(start, session.first(utcb), utcb.get(2), utcb.get(3), utcb.get(4));
};
OPERATIONS[FS_OP.CLOSE] = (session, utcb) => session.handles.close(utcb.get(1));
OPERATIONS[FS_OP.DUP] = (session, utcb) => {
  session.handles.dup(utcb.get(1));
  return 0;
};
OPERATIONS[FS_OP.STAT] = (session, utcb) => {
  const node = session.find(utcb.get(1), session.first(utcb), utcb.get(2) === 1);
  return typeof node === "number" ? node : packStat(session, utcb, node);
};
OPERATIONS[FS_OP.FSTAT] = (session, utcb) => {
  const node = session.handles.node(utcb.get(1));
  return node === undefined ? -EBADF : packStat(session, utcb, node);
};
OPERATIONS[FS_OP.READ] = read;
OPERATIONS[FS_OP.WRITE] = write;
OPERATIONS[FS_OP.SIZE] = (session, utcb) => session.handles.node(utcb.get(1))?.size() ?? -EBADF;
OPERATIONS[FS_OP.TRUNCATE] = truncate;
OPERATIONS[FS_OP.SYNC] = (session, utcb) => session.handles.node(utcb.get(1))?.sync() ?? -EBADF;
OPERATIONS[FS_OP.LIST] = list;
OPERATIONS[FS_OP.MKDIR] = (session, utcb) =>
  at(session, utcb, (start) => session.names.mkdir(start, session.first(utcb), utcb.get(2)));
OPERATIONS[FS_OP.MKNOD] = (session, utcb) =>
  at(session, utcb, (start) => session.names.mknod(start, session.first(utcb), utcb.get(2), utcb.get(3)));
OPERATIONS[FS_OP.UNLINK] = (session, utcb) =>
  at(session, utcb, (start) => session.names.unlink(start, session.first(utcb), utcb.get(2) === 1));
OPERATIONS[FS_OP.SYMLINK] = (session, utcb) =>
  at(session, utcb, (start) => session.names.symlink(session.second(utcb), start, session.first(utcb)));
OPERATIONS[FS_OP.READLINK] = (session, utcb) => {
  const node = session.find(utcb.get(1), session.first(utcb), false);
  return typeof node === "number" ? node : packText(utcb, node.readlink(), utcb.get(2));
};
OPERATIONS[FS_OP.LINK] = link;
OPERATIONS[FS_OP.RENAME] = rename;
OPERATIONS[FS_OP.CHMOD] = (session, utcb) =>
  onNode(session, utcb, utcb.get(3) === 1, (node) => Rights.chmod(session.who, node, utcb.get(2)));
OPERATIONS[FS_OP.CHOWN] = (session, utcb) =>
  onNode(session, utcb, utcb.get(4) === 1, (node) => Rights.chown(session.who, node, utcb.get(2), utcb.get(3)));
OPERATIONS[FS_OP.UTIME] = utime;
OPERATIONS[FS_OP.PATH_OF] = (session, utcb) => {
  const handle = session.handles.get(utcb.get(1));
  return handle === undefined ? -EBADF : packText(utcb, session.handles.pathOf(handle), utcb.get(2));
};
OPERATIONS[FS_OP.STATFS] = statfs;
OPERATIONS[FS_OP.IDENTITY] = (session, utcb) => {
  const first = utcb.get(5), count = Math.min(utcb.get(4) - first, MAX_GROUPS_AT_ONCE);
  const groups = first === 0 ? [] : session.who.groups.slice(0, first);
  for (let i = 0; i < count; i++) groups.push(utcb.get(TEXT_WORD + i));
  session.who = { uid: utcb.get(1), gid: utcb.get(2), capabilities: utcb.get(3), groups };
  return 0;
};
OPERATIONS[FS_OP.SEEK] = (session, utcb) => session.handles.node(utcb.get(1))?.seek(utcb.get(2), utcb.get(3) === 1) ?? -EBADF;
OPERATIONS[FS_OP.ALLOCATE] = (session, utcb) => {
  const handle = session.handles.get(utcb.get(1)), offset = utcb.get(2), length = utcb.get(3), how = utcb.get(4);
  if (handle === undefined || !handle.writable) return -EBADF;
  if (handle.node.type !== S_IFREG) return -ENODEV;
  if (offset < 0 || length <= 0) return -EINVAL;
  Rights.written(session.who, handle.node);
  return handle.node.allocate(offset, length, { punch: (how & 1) !== 0, keepSize: (how & 2) !== 0 });
};
OPERATIONS[FS_OP.GET_ATTRIBUTE] = (session, utcb) =>
  attribute(session, utcb, (node, address, bytes) => {
    const value = Attributes.get(session.who, node, session.second(utcb));
    return typeof value === "number" ? value : giveValue(session, value, address, bytes);
  });
OPERATIONS[FS_OP.SET_ATTRIBUTE] = (session, utcb) =>
  attribute(session, utcb, (node, address, bytes) => {
    const value = bytes === 0 ? new Uint8Array(0) : session.ram.view(address, bytes).slice();
    return Attributes.set(session.who, node, session.second(utcb), value, utcb.get(4));
  });
OPERATIONS[FS_OP.LIST_ATTRIBUTES] = listAttributes;
OPERATIONS[FS_OP.REMOVE_ATTRIBUTE] = (session, utcb) =>
  attribute(session, utcb, (node) => Attributes.remove(session.who, node, session.second(utcb)));
OPERATIONS[FS_OP.ROOT] = (session, utcb) => session.setRoot(utcb.get(1));
OPERATIONS[FS_OP.ACCESS] = (session, utcb) =>
  onNode(session, utcb, utcb.get(3) === 1, (node) => Rights.permits(session.who, node, utcb.get(2)));
OPERATIONS[FS_OP.STAGE] = (session, utcb) => session.stage(utcb);
