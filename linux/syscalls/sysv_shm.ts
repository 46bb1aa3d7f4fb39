import { E } from "../abi/errno.ts";
import { MAP_FIXED, MAP_FIXED_NOREPLACE, PAGE, pageUp, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { change, IPC, IpcObject, putFields, putStructure, seconds } from "../ipc/table.ts";
import { SharedObject } from "../memory/shared.ts";
import { newVma, type SharedPages } from "../memory/vma.ts";
import type { Personality } from "../personality.ts";
import { putU64 } from "../memory/user.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { place, refuses } from "./memory.ts";
import { sys, type SyscallRow } from "./row.ts";

/** include/uapi/linux/shm.h. */
const SHM = {
  RDONLY: 0o10000,
  RND: 0o20000,
  REMAP: 0o40000,
  EXEC: 0o100000,
  HUGETLB: 0o4000,
  LOCK: 11,
  UNLOCK: 12,
  STAT: 13,
  INFO: 14,
  STAT_ANY: 15,
  DEST: 0o1000,
  LOCKED: 0o2000,
} as const;
/** shmmax, shmall of a kernel with default settings. */
const MAX_BYTES = 2 ** 64 - 2 ** 24, MAX_SEGMENTS = 4096;
const DS_BYTES = 112, INFO_BYTES = 72, SHM_INFO_BYTES = 48;

/** A System V shared memory segment. It lives until IPC_RMID and the last mapping. */
export class Segment extends IpcObject implements SharedPages {
  readonly bytes: number;
  readonly pages: SharedObject;
  readonly file = undefined;
  attached = 0;
  locked = false;
  /** IPC_RMID while it was mapped: it goes with the last mapping. */
  doomed = false;
  readonly #os: Personality;
  attachTime = 0;
  detachTime = 0;
  changeTime: number;
  readonly creatorPid: number;
  lastPid = 0;

  constructor(t: Thread, bytes: number, mode: number) {
    super(t, mode);
    this.#os = t.os;
    this.bytes = bytes;
    this.pages = new SharedObject(t.os.pool, undefined, bytes);
    this.creatorPid = t.process.pid;
    this.changeTime = seconds(t);
  }

  reaches(): boolean {
    return true;
  }

  ensure(offset: number, bytes: number): { pa: number; bytes: number } | undefined {
    return this.pages.ensure(offset, bytes);
  }

  sync(): number {
    return 0;
  }

  /** One more area that shows it. */
  dup(): void {
    this.attached++;
  }

  release(): void {
    this.attached--;
    const { clock } = this.#os;
    clock.real(this.#os.now());
    this.detachTime = clock.seconds;
    if (this.doomed) this.destroy();
  }

  /** IPC_RMID: nobody finds it by its key any more. */
  destroy(): void {
    this.key = IPC.PRIVATE;
    this.doomed = true;
    if (this.attached > 0) return;
    this.#os.shm.remove(this);
    this.pages.release();
  }
}

function shmget(t: Thread): Result {
  const bytes = t.arg(1), flags = t.int(2);
  return t.os.shm.get(t, t.int(0), flags, () => {
    if (bytes < 1 || bytes > MAX_BYTES) return -E.EINVAL;
    // No huge pages are set aside, and nothing is larger than the machine.
    if ((flags & SHM.HUGETLB) !== 0 || bytes > t.os.pool.totalBytes) return -E.ENOMEM;
    return new Segment(t, bytes, flags);
  }, (found) => bytes > found.bytes ? -E.EINVAL : 0);
}

function shmat(t: Thread): Result {
  const id = t.int(0), flags = t.int(2);
  let address = t.arg(1);
  if (id < 0) return -E.EINVAL;
  if (address === 0) {
    if ((flags & SHM.REMAP) !== 0) return -E.EINVAL;
  } else if (address % PAGE !== 0) {
    if ((flags & SHM.RND) === 0) return -E.EINVAL;
    address -= address % PAGE;
    if (address === 0 && (flags & SHM.REMAP) !== 0) return -E.EINVAL;
  }
  const segment = t.os.shm.byId(id);
  if (segment === undefined) return -E.EINVAL;
  const readOnly = (flags & SHM.RDONLY) !== 0, exec = (flags & SHM.EXEC) !== 0;
  if (!segment.permits(t, (readOnly ? 0o444 : 0o666) | (exec ? 0o111 : 0))) return -E.EACCES;
  const bytes = pageUp(segment.bytes);
  const { mm } = t.process;
  if (address !== 0 && (flags & SHM.REMAP) === 0) {
    if (mm.vmas.intersects(address, address + bytes)) return -E.EINVAL;
  }
  const fixed = address === 0 ? 0 : (flags & SHM.REMAP) !== 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  const start = place(t, address, bytes, fixed, fixed !== 0);
  if (start < 0) return start;
  if (refuses(t, bytes, false)) return -E.ENOMEM;
  const vma = newVma(start, start + bytes, PROT_READ | (readOnly ? 0 : PROT_WRITE) | (exec ? PROT_EXEC : 0));
  if (readOnly) vma.maxProt = PROT_READ | PROT_EXEC;
  vma.shared = segment;
  segment.dup();
  if (!mm.add(vma)) {
    mm.remove(start, start + bytes);
    return -E.ENOMEM;
  }
  segment.attachTime = seconds(t);
  segment.lastPid = t.process.pid;
  return start;
}

/** Takes the segment away that was attached at this address: every area that is left of it. */
function shmdt(t: Thread): Result {
  const address = t.arg(0);
  if (address % PAGE !== 0) return -E.EINVAL;
  const { mm } = t.process;
  const first = mm.vmas.items.find((vma) => vma.shared instanceof Segment && vma.start - vma.offset === address);
  const segment = first?.shared;
  if (!(segment instanceof Segment)) return -E.EINVAL;
  const parts = mm.vmas.items.filter((vma) => vma.shared === segment && vma.start - vma.offset === address);
  for (const { start, end } of parts.map(({ start, end }) => ({ start, end }))) mm.remove(start, end);
  segment.lastPid = t.process.pid;
  return 0;
}

function putSegment(t: Thread, s: Segment, address: number, result: number): number {
  return putStructure(t, address, DS_BYTES, (data, at) => {
    s.putPermissions(data, at, (s.locked ? SHM.LOCKED : 0) | (s.doomed ? SHM.DEST : 0));
    putFields(data, at + 48, [s.bytes, s.attachTime, s.detachTime, s.changeTime], true);
    putFields(data, at + 80, [s.creatorPid, s.lastPid]);
    putU64(data, at + 88, s.attached);
  }, result);
}

function shmctl(t: Thread): Result {
  const id = t.int(0), command = t.int(1), address = t.arg(2), table = t.os.shm;
  if (id < 0 || command < 0) return -E.EINVAL;
  const segment = table.byId(id);
  switch (command) {
    case IPC.INFO:
      return putStructure(t, address, INFO_BYTES, (data, at) => {
        putFields(data, at, [MAX_BYTES, 1, MAX_SEGMENTS, MAX_SEGMENTS, MAX_BYTES], true);
      }, table.highestIndex);
    case SHM.INFO:
      return putStructure(t, address, SHM_INFO_BYTES, (data, at) => {
        data.setInt32(at, table.all.length, true);
        const pages = (of: (s: Segment) => number): number => table.all.reduce((sum, s) => sum + of(s) / PAGE, 0);
        putFields(data, at + 8, [pages((s) => pageUp(s.bytes)), pages((s) => s.pages.allocated)], true);
      }, table.highestIndex);
    case IPC.STAT:
    case SHM.STAT:
    case SHM.STAT_ANY: {
      const shown = table.toShow(t, id, command !== IPC.STAT, command === SHM.STAT_ANY);
      return typeof shown === "number" ? shown : putSegment(t, shown, address, command === IPC.STAT ? 0 : shown.id);
    }
    case IPC.SET:
      return change(t, segment, address, DS_BYTES, () => {
        if (segment !== undefined) segment.changeTime = seconds(t);
        return 0;
      });
    case IPC.RMID:
      if (segment === undefined) return -E.EINVAL;
      if (!segment.isOwner(t)) return -E.EPERM;
      segment.destroy();
      return 0;
    case SHM.LOCK:
    case SHM.UNLOCK:
      if (segment === undefined) return -E.EINVAL;
      if (!segment.isOwner(t) && !capable(t.credentials, CAP.IPC_LOCK)) return -E.EPERM;
      segment.locked = command === SHM.LOCK;
      return 0;
  }
  return -E.EINVAL;
}

export const SYSV_SHM_CALLS: readonly SyscallRow[] = [
  sys(29, "shmget", ["int", "size", "octal"], shmget),
  sys(30, "shmat", ["int", "ptr", "octal"], shmat),
  sys(31, "shmctl", ["int", "int", "ptr"], shmctl),
  sys(67, "shmdt", ["ptr"], shmdt),
];
