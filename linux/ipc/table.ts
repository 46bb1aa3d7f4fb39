import { inGroup } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { putU64 } from "../memory/user.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";

/** Commands that all three kinds of System V object have, and flags of their `get` calls: include/uapi/linux/ipc.h. */
export const IPC = { RMID: 0, SET: 1, STAT: 2, INFO: 3, CREAT: 0o1000, EXCL: 0o2000, NOWAIT: 0o4000, PRIVATE: 0 } as const;

/** Ids are a sequence number above an index (ipc/util.h). */
const INDEX_BITS = 15;
/** Indices are handed out in a cycle of at least this many. */
const MIN_CYCLE = 256;

/** What shared memory segments, semaphore sets and message queues have in common: struct kern_ipc_perm. */
export abstract class IpcObject {
  id = 0;
  key = 0;
  sequence = 0;
  /** Owner and creator. */
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  /** IPC_RMID has been there: who waits gets EIDRM. */
  removed = false;

  constructor(t: Thread, mode: number) {
    const { euid, egid } = t.credentials;
    this.uid = this.cuid = euid;
    this.gid = this.cgid = egid;
    this.mode = mode & 0o777;
  }

  /** ipcperms(): may `t` do what the bits of `flags` (any digit of a mode) say? */
  permits(t: Thread, flags: number): boolean {
    const c = t.credentials;
    const wanted = (flags >> 6 | flags >> 3 | flags) & 7;
    const digit = c.euid === this.cuid || c.euid === this.uid ? 6 : inGroup(c, this.cgid) || inGroup(c, this.gid) ? 3 : 0;
    return (wanted & ~(this.mode >> digit)) === 0 || capable(c, CAP.IPC_OWNER);
  }

  /** May `t` change or remove it? */
  isOwner(t: Thread): boolean {
    const { euid } = t.credentials;
    return euid === this.cuid || euid === this.uid || capable(t.credentials, CAP.SYS_ADMIN);
  }

  /** struct ipc64_perm, 48 bytes at `at`, which are 0 before. */
  putPermissions(data: DataView, at: number, extraMode = 0): void {
    data.setInt32(at, this.key, true);
    data.setUint32(at + 4, this.uid, true);
    data.setUint32(at + 8, this.gid, true);
    data.setUint32(at + 12, this.cuid, true);
    data.setUint32(at + 16, this.cgid, true);
    data.setUint32(at + 20, this.mode | extraMode, true);
    data.setUint16(at + 24, this.sequence, true);
  }

  /** IPC_SET: owner and mode from such a structure at physical `at`. */
  setPermissions(data: DataView, at: number): void {
    this.uid = data.getUint32(at + 4, true);
    this.gid = data.getUint32(at + 8, true);
    this.mode = data.getUint32(at + 20, true) & 0o777;
  }
}

/** All objects of one kind. */
export class IpcTable<T extends IpcObject> {
  readonly #objects = new Map<number, T>();
  readonly #limit: number;
  #last = -1;
  #sequence = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get all(): T[] {
    return [...this.#objects.values()];
  }

  /** Highest index in use, 0 when there is none: what IPC_INFO gives. */
  get highestIndex(): number {
    return Math.max(0, ...this.#objects.keys());
  }

  byId(id: number): T | undefined {
    const object = id < 0 ? undefined : this.#objects.get(id & (1 << INDEX_BITS) - 1);
    return object?.id === id ? object : undefined;
  }

  byIndex(index: number): T | undefined {
    return this.#objects.get(index);
  }

  /** ipcget(): the id of the object with this key, made by `create` (or -errno) where it may be; `fits` gives 0 or -errno. */
  get(t: Thread, key: number, flags: number, create: () => T | number, fits: (object: T) => number): number {
    const found = key === IPC.PRIVATE ? undefined : this.all.find((each) => each.key === key);
    if (found !== undefined) {
      if ((flags & (IPC.CREAT | IPC.EXCL)) === (IPC.CREAT | IPC.EXCL)) return -E.EEXIST;
      const status = fits(found);
      if (status < 0) return status;
      return found.permits(t, flags) ? found.id : -E.EACCES;
    }
    if (key !== IPC.PRIVATE && (flags & IPC.CREAT) === 0) return -E.ENOENT;
    const made = create();
    if (typeof made === "number") return made;
    if (this.#objects.size >= this.#limit) return -E.ENOSPC;
    made.key = key;
    return this.#add(made);
  }

  #add(object: T): number {
    const cycle = Math.min(this.#limit, Math.max(Math.floor(this.#objects.size * 3 / 2), MIN_CYCLE));
    let index = this.#last + 1;
    while (index >= cycle || this.#objects.has(index)) index = index >= cycle ? 0 : index + 1;
    if (index <= this.#last) this.#sequence = this.#sequence + 1 & 0x7fff;
    this.#last = index;
    object.sequence = this.#sequence;
    object.id = this.#sequence << INDEX_BITS | index;
    this.#objects.set(index, object);
    return object.id;
  }

  remove(object: T): void {
    object.removed = true;
    this.#objects.delete(object.id & (1 << INDEX_BITS) - 1);
  }

  /** The object of a STAT command: by id, or by index for SEM_STAT and the like; -errno. */
  toShow(t: Thread, id: number, byIndex: boolean, anybody: boolean): T | number {
    const object = byIndex ? this.byIndex(id) : this.byId(id);
    if (object === undefined) return -E.EINVAL;
    return anybody || object.permits(t, 0o444) ? object : -E.EACCES;
  }
}

/** Seconds of the wall clock. */
export function seconds(t: Thread): number {
  t.os.clock.real(t.os.now());
  return t.os.clock.seconds;
}

/** Fills a structure of `bytes` at `address`; `result` or -EFAULT. */
export function putStructure(
  t: Thread,
  address: number,
  bytes: number,
  fill: (data: DataView, at: number) => void,
  result = 0,
): number {
  const { user } = t.process;
  const at = user.out(address, bytes);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + bytes);
  fill(user.data, at);
  user.done();
  return result;
}

/** Numbers as consecutive 32-bit or, with `wide`, 64-bit fields. */
export const putFields = (data: DataView, at: number, values: readonly number[], wide = false): void =>
  values.forEach((value, i) => wide ? putU64(data, at + 8 * i, value) : data.setInt32(at + 4 * i, value, true));

/** IPC_SET for any kind: reads `bytes` at `address` and lets `more` look at the rest. */
export function change(
  t: Thread,
  object: IpcObject | undefined,
  address: number,
  bytes: number,
  more: (data: DataView, at: number) => number,
): number {
  const at = t.process.user.in(address, bytes);
  if (at < 0) return -E.EFAULT;
  if (object === undefined) return -E.EINVAL;
  if (!object.isOwner(t)) return -E.EPERM;
  const status = more(t.process.user.data, at);
  if (status === 0) object.setPermissions(t.process.user.data, at);
  return status;
}
