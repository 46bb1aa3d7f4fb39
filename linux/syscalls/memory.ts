import { E } from "../abi/errno.ts";
import * as M from "../abi/mman.ts";
import { PAGE, pageDown, pageUp, TASK_SIZE } from "../abi/mman.ts";
import { O_ACCMODE, O_RDWR } from "../abi/fcntl.ts";
import type { MappedFile, SharedPages, Vma } from "../memory/vma.ts";
import { isData, newVma } from "../memory/vma.ts";
import { SharedObject } from "../memory/shared.ts";
import { moveMapping } from "../memory/remap.ts";
import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK } from "../process/limits.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { PROCESS } from "../../roottask/protocol.ts";
import { sys, sysAs, type SyscallRow } from "./row.ts";
import { fileArg } from "./util.ts";

/** Above it lie the UTCB page and the end of user space. */
const USER_TOP = PROCESS.STACK_TOP;

/** Would this much more memory exceed a limit of the process, or be absurd for this machine? */
export function refuses(t: Thread, bytes: number, reserve: boolean): boolean {
  const { mm, limits } = t.process;
  if (mm.totalBytes + bytes > limits.soft[RLIMIT_AS]) return true;
  return reserve && bytes > t.os.pool.totalBytes;
}

/** Would `bytes` more that may be written exceed RLIMIT_DATA? */
function exceedsData(t: Thread, bytes: number): boolean {
  const limit = t.process.limits.soft[RLIMIT_DATA];
  return limit !== Infinity && t.process.mm.sum(isData) + bytes > limit;
}

function brk(t: Thread): Result {
  const { mm, limits } = t.process;
  const wanted = t.arg(0);
  if (wanted < mm.brkStart || wanted > USER_TOP) return mm.brk;
  const from = pageUp(mm.brk);
  const to = pageUp(wanted);
  if (wanted - mm.brkStart > limits.soft[RLIMIT_DATA]) return mm.brk;
  if (to > from) {
    // One page stays free below the next area, as the kernel keeps its stack guard.
    if (refuses(t, to - from, true) || mm.vmas.intersects(from, to + PAGE)) return mm.brk;
    if (!mm.addAnonymous(from, to, M.PROT_READ | M.PROT_WRITE, "[heap]")) {
      mm.remove(from, to);
      return mm.brk;
    }
  } else if (to < from) {
    mm.remove(to, from);
  }
  mm.brk = wanted;
  return wanted;
}

/** Flags that make a MAP_SHARED_VALIDATE mapping: LEGACY_MAP_MASK. */
const KNOWN_FLAGS = M.MAP_TYPE | M.MAP_FIXED | M.MAP_ANONYMOUS | M.MAP_32BIT | M.MAP_GROWSDOWN | 0x800 | 0x1000 | M.MAP_LOCKED |
  M.MAP_NORESERVE | M.MAP_POPULATE | 0x1_0000 | M.MAP_STACK | M.MAP_HUGETLB | M.MAP_FIXED_NOREPLACE;

function mmap(t: Thread): Result {
  const address = t.arg(0);
  const length = t.arg(1);
  const prot = t.int(2) & 7;
  const flags = t.int(3);
  const offset = t.arg(5);
  if (offset % PAGE !== 0) return -E.EINVAL;
  const anonymous = (flags & M.MAP_ANONYMOUS) !== 0;
  const file = anonymous ? undefined : fileArg(t, 4);
  if (!anonymous && file === undefined) return -E.EBADF;
  if (length === 0) return -E.EINVAL;
  const bytes = pageUp(length);
  if (!(bytes <= USER_TOP)) return -E.ENOMEM;
  if (!anonymous && !(offset + bytes < 2 ** 63)) return -E.EOVERFLOW;
  const type = flags & M.MAP_TYPE;
  if (type === M.MAP_SHARED_VALIDATE && (flags & ~KNOWN_FLAGS) !== 0) return -E.EOPNOTSUPP;
  if (type !== M.MAP_PRIVATE && type !== M.MAP_SHARED && type !== M.MAP_SHARED_VALIDATE) return -E.EINVAL;
  if ((flags & M.MAP_HUGETLB) !== 0) return -E.ENOMEM;
  const shared = type !== M.MAP_PRIVATE;

  if (t.process.mm.vmas.length > M.MAX_MAP_COUNT) return -E.ENOMEM;
  const fixed = (flags & (M.MAP_FIXED | M.MAP_FIXED_NOREPLACE)) !== 0;
  const start = place(t, address, bytes, flags, fixed);
  if (start < 0) return start;
  // What can be read again from a file, or is never written, asks for nothing that must be there (accountable_mapping, shmem_file_setup).
  const accountable = shared ? file === undefined : (prot & M.PROT_WRITE) !== 0;
  if (refuses(t, bytes, accountable && (flags & M.MAP_NORESERVE) === 0)) return -E.ENOMEM;

  if (!shared && (prot & M.PROT_WRITE) !== 0 && exceedsData(t, bytes)) return -E.ENOMEM;

  const vma = newVma(start, start + bytes, prot);
  vma.noReserve = (flags & M.MAP_NORESERVE) !== 0;
  vma.growsDown = (flags & M.MAP_GROWSDOWN) !== 0;
  if (file !== undefined) {
    if (!file.readable) return -E.EACCES;
    if (shared && (prot & M.PROT_WRITE) !== 0 && (file.flags & O_ACCMODE) !== O_RDWR) return -E.EACCES;
    const source = file.map(t, shared);
    if (typeof source === "number") return source;
    if (isShared(source)) {
      vma.shared = source;
      if ((file.flags & O_ACCMODE) !== O_RDWR) vma.maxProt = 5;
    } else {
      vma.file = source;
    }
    vma.offset = offset;
  } else if (shared) {
    vma.shared = new SharedObject(t.os.pool, undefined, bytes);
  }
  const { mm } = t.process;
  if (
    !mm.add(
      vma,
      (flags & (M.MAP_POPULATE | M.MAP_LOCKED)) !== 0 && file === undefined && bytes <= t.os.pool.freeBytes || undefined,
    )
  ) {
    mm.remove(start, start + bytes);
    return -E.ENOMEM;
  }
  return start;
}

function isShared(source: MappedFile | SharedPages): source is SharedPages {
  return "ensure" in source;
}

/** Where a mapping goes, or -errno (get_unmapped_area). */
export function place(t: Thread, address: number, bytes: number, flags: number, fixed: boolean): number {
  const { mm } = t.process;
  if (fixed) {
    if (address % PAGE !== 0) return -E.EINVAL;
    if (!(address + bytes <= USER_TOP)) return -E.ENOMEM;
    if (address < M.MMAP_MIN_ADDR && !capable(t.credentials, CAP.SYS_RAWIO)) return -E.EPERM;
    if (address === 0) return -E.EPERM;
    if ((flags & M.MAP_FIXED_NOREPLACE) !== 0 && mm.vmas.intersects(address, address + bytes)) return -E.EEXIST;
    return address;
  }
  if (address !== 0) {
    const hint = pageUp(address);
    if (hint >= M.MMAP_MIN_ADDR && hint + bytes <= USER_TOP && !mm.vmas.intersects(hint, hint + bytes)) return hint;
  }
  const found = (flags & M.MAP_32BIT) !== 0 ? mm.findGap(bytes, 0x8000_0000) : mm.findGap(bytes);
  return found ?? -E.ENOMEM;
}

/** Start and length of a range argument pair; -EINVAL when it is not one. */
function munmap(t: Thread): Result {
  const start = t.arg(0);
  const length = t.arg(1);
  if (start % PAGE !== 0 || length === 0 || !(start + length <= TASK_SIZE) || start > TASK_SIZE) return -E.EINVAL;
  const { mm } = t.process, end = start + pageUp(length);
  // A hole in an area makes two of it.
  if (mm.crowded(start, end) && mm.cuts(start) && mm.vmas.find(start) === mm.vmas.find(end)) return -E.ENOMEM;
  mm.remove(start, end);
  return 0;
}

function mprotect(t: Thread): Result {
  const start = t.arg(0);
  const length = t.arg(1);
  const prot = t.int(2);
  if (start % PAGE !== 0) return -E.EINVAL;
  if ((prot & (M.PROT_GROWSDOWN | M.PROT_GROWSUP)) === (M.PROT_GROWSDOWN | M.PROT_GROWSUP)) return -E.EINVAL;
  if (length === 0) return 0;
  const end = start + pageUp(length);
  if (!(end <= TASK_SIZE)) return -E.ENOMEM;
  const { mm } = t.process;
  if ((prot & ~(7 | 8 | M.PROT_GROWSDOWN | M.PROT_GROWSUP)) !== 0) return -E.EINVAL;
  let from = start;
  if ((prot & M.PROT_GROWSDOWN) !== 0) {
    const vma = mm.vmas.find(start);
    if (vma === undefined) return -E.ENOMEM;
    if (!vma.growsDown) return -E.EINVAL;
    from = vma.start;
  }
  // Areas before the first hole are changed even when the call fails.
  let ok = from;
  while (ok < end) {
    const vma = mm.vmas.find(ok);
    if (vma === undefined) break;
    if ((prot & 7 & ~vma.maxProt) !== 0) {
      if (ok > from) mm.protect(from, ok, prot & 7);
      return -E.EACCES;
    }
    ok = vma.end;
  }
  if ((prot & M.PROT_WRITE) !== 0 && t.process.limits.soft[RLIMIT_DATA] !== Infinity) {
    let more = 0;
    eachArea(t, from, Math.min(ok, end), (vma, low, high) => {
      if (!isData(vma) && vma.shared === undefined) more += high - low;
    });
    if (more > 0 && exceedsData(t, more)) return -E.ENOMEM;
  }
  if (mm.crowded(from, end)) return -E.ENOMEM;
  if (ok > from) mm.protect(from, Math.min(ok, end), prot & 7);
  return ok < end ? -E.ENOMEM : 0;
}

function msync(t: Thread): Result {
  const start = t.arg(0);
  const flags = t.int(2);
  if (start % PAGE !== 0 || (flags & ~(M.MS_ASYNC | M.MS_INVALIDATE | M.MS_SYNC)) !== 0) return -E.EINVAL;
  if ((flags & M.MS_ASYNC) !== 0 && (flags & M.MS_SYNC) !== 0) return -E.EINVAL;
  const end = start + pageUp(t.arg(1));
  if (!(end <= TASK_SIZE)) return -E.ENOMEM;
  const { mm } = t.process;
  const covered = mm.covered(start, end);
  let status = 0;
  eachArea(t, start, end, (vma, from, to) => {
    if (vma.shared !== undefined) status = Math.min(status, vma.shared.sync(vma.offset + (from - vma.start), to - from));
  });
  return covered ? status : -E.ENOMEM;
}

function eachArea(t: Thread, start: number, end: number, visit: (vma: Vma, from: number, to: number) => void): void {
  const { items } = t.process.mm.vmas;
  for (let i = t.process.mm.vmas.lowerBound(start); i < items.length && items[i].start < end; i++) {
    visit(items[i], Math.max(start, items[i].start), Math.min(end, items[i].end));
  }
}

function madvise(t: Thread): Result {
  const start = t.arg(0);
  const length = t.arg(1);
  const advice = t.int(2);
  const { MADV } = M;
  if (!Object.values(MADV).includes(advice as never)) return -E.EINVAL;
  if (start % PAGE !== 0) return -E.EINVAL;
  const end = start + pageUp(length);
  if (!(end <= TASK_SIZE)) return -E.EINVAL;
  if (length === 0) return 0;
  const { mm } = t.process;
  const covered = mm.covered(start, end);
  switch (advice) {
    case MADV.DONTNEED:
    case MADV.DONTNEED_LOCKED:
      mm.unback(start, end);
      break;
    case MADV.REMOVE:
      return -E.EOPNOTSUPP;
    case MADV.DONTFORK:
    case MADV.DOFORK:
      if (mm.crowded(start, end)) return -E.ENOMEM;
      mm.change(start, end, (vma) => void (vma.dontFork = advice === MADV.DONTFORK));
      break;
    case MADV.WIPEONFORK:
    case MADV.KEEPONFORK:
      if (mm.crowded(start, end)) return -E.ENOMEM;
      mm.change(start, end, (vma) => void (vma.wipeOnFork = advice === MADV.WIPEONFORK));
      break;
    case MADV.POPULATE_READ:
    case MADV.POPULATE_WRITE:
      eachArea(t, start, end, (vma, from, to) => void mm.populate(vma, from, to));
      break;
    case MADV.MERGEABLE:
    case MADV.UNMERGEABLE:
      return -E.EINVAL;
  }
  return covered ? 0 : -E.ENOMEM;
}

function mremap(t: Thread): Result {
  const old = t.arg(0);
  const oldBytes = pageUp(t.arg(1));
  const bytes = pageUp(t.arg(2));
  const flags = t.int(3);
  const target = t.arg(4);
  const { mm } = t.process;
  if ((flags & ~(M.MREMAP_MAYMOVE | M.MREMAP_FIXED | M.MREMAP_DONTUNMAP)) !== 0 || old % PAGE !== 0 || bytes === 0) {
    return -E.EINVAL;
  }
  const fixed = (flags & M.MREMAP_FIXED) !== 0;
  const keep = (flags & M.MREMAP_DONTUNMAP) !== 0;
  if ((fixed || keep) && (flags & M.MREMAP_MAYMOVE) === 0) return -E.EINVAL;
  if (keep && oldBytes !== bytes) return -E.EINVAL;
  const vma = mm.vmas.find(old);
  if (vma === undefined) return -E.EFAULT;
  if (!(bytes <= USER_TOP)) return -E.ENOMEM;
  if (oldBytes === 0) return vma.shared === undefined ? -E.EINVAL : -E.ENOMEM;
  if (old + oldBytes > vma.end) return -E.EFAULT;
  if (fixed) {
    if (target % PAGE !== 0 || !(target + bytes <= USER_TOP)) return -E.EINVAL;
    if (target < old + oldBytes && old < target + bytes) return -E.EINVAL;
  }
  if (bytes > oldBytes && refuses(t, bytes - oldBytes, !vma.noReserve)) return -E.ENOMEM;
  if (!fixed && !keep) {
    if (bytes <= oldBytes) {
      if (bytes < oldBytes) mm.remove(old + bytes, old + oldBytes);
      return old;
    }
    // Grow in place when the area ends here and nothing follows.
    if (old + oldBytes === vma.end && old + bytes <= USER_TOP && !mm.vmas.intersects(vma.end, old + bytes)) {
      mm.extend(vma, old + bytes);
      return old;
    }
    if ((flags & M.MREMAP_MAYMOVE) === 0) return -E.ENOMEM;
  }
  // As Linux does: moving cuts up to three areas.
  if (mm.vmas.length >= M.MAX_MAP_COUNT - 3) return -E.ENOMEM;
  const to = fixed ? target : mm.findGap(bytes);
  if (to === undefined) return -E.ENOMEM;
  return moveMapping(mm, old, Math.min(oldBytes, bytes), oldBytes, to, bytes, keep);
}

/** May `t` lock memory at all, and so much more of it? RLIMIT_MEMLOCK. */
function mayLock(t: Thread, bytes: number): number {
  if (capable(t.credentials, CAP.IPC_LOCK)) return 0;
  const limit = t.process.limits.soft[RLIMIT_MEMLOCK];
  if (limit === 0) return -E.EPERM;
  return bytes > limit ? -E.ENOMEM : 0;
}

/** Memory is never paged out: locking it is only counted. */
function setLocked(t: Thread, locked: boolean): Result {
  const start = pageDown(t.arg(0));
  const end = pageUp(t.arg(0) + t.arg(1));
  if (!(end <= TASK_SIZE)) return -E.EINVAL;
  const { mm } = t.process;
  if (locked) {
    let more = 0;
    eachArea(t, start, end, (vma, low, high) => void (more += vma.locked ? 0 : high - low));
    const status = mayLock(
      t,
      mm.sum((vma) => vma.locked) + Math.max(more, end - start - (mm.covered(start, end) ? end - start : 0)),
    );
    if (status < 0) return status;
  }
  if (end === start) return 0;
  if (mm.crowded(start, end)) return -E.ENOMEM;
  mm.change(start, end, (vma) => void (vma.locked = locked));
  if (!mm.covered(start, end)) return -E.ENOMEM;
  if (locked) {
    eachArea(t, start, end, (vma, from, to) => {
      if (vma.prot !== 0) mm.populate(vma, from, to);
    });
  }
  return 0;
}

const MCL_CURRENT = 1, MLOCK_ONFAULT = 1;

function mlockall(t: Thread): Result {
  const flags = t.int(0);
  if (flags === 0 || (flags & ~7) !== 0 || flags === 4) return -E.EINVAL;
  const { mm } = t.process;
  const status = mayLock(t, (flags & MCL_CURRENT) !== 0 ? mm.totalBytes : 0);
  if (status === 0 && (flags & MCL_CURRENT) !== 0) mm.change(0, TASK_SIZE, (vma) => void (vma.locked = true));
  return status;
}

function munlockall(t: Thread): Result {
  t.process.mm.change(0, TASK_SIZE, (vma) => void (vma.locked = false));
  return 0;
}

function mincore(t: Thread): Result {
  const start = t.arg(0);
  const bytes = pageUp(t.arg(1));
  if (start % PAGE !== 0) return -E.EINVAL;
  if (!(start + bytes <= TASK_SIZE)) return -E.ENOMEM;
  const { mm, user } = t.process;
  if (!mm.covered(start, start + bytes)) return -E.ENOMEM;
  const out = new Uint8Array(bytes / PAGE);
  for (let i = 0; i < out.length; i++) out[i] = mm.backing.find(start + i * PAGE) === undefined ? 0 : 1;
  return user.putBytes(t.arg(2), out) ? 0 : -E.EFAULT;
}

function membarrier(t: Thread): Result {
  // One virtual CPU: every switch of threads orders memory. Query tells the commands that are accepted.
  const supported = 0x1ff;
  const command = t.int(0);
  if (t.uint(1) !== 0) return -E.EINVAL;
  if (command === 0) return supported;
  return (command & ~supported) !== 0 ? -E.EINVAL : 0;
}

const hex = (row: SyscallRow): SyscallRow => sysAs("hex", row);

export const MEMORY_CALLS: readonly SyscallRow[] = [
  hex(sys(9, "mmap", ["ptr", "size", "prot", "mapflags", "fd", "hex"], mmap, "no huge pages")),
  sys(10, "mprotect", ["ptr", "size", "prot"], mprotect),
  sys(11, "munmap", ["ptr", "size"], munmap),
  hex(sys(12, "brk", ["ptr"], brk)),
  hex(sys(25, "mremap", ["ptr", "size", "size", "hex", "ptr"], mremap)),
  sys(26, "msync", ["ptr", "size", "hex"], msync),
  sys(27, "mincore", ["ptr", "size", "ptr"], mincore),
  sys(28, "madvise", ["ptr", "size", "madvice"], madvise, "no MADV_REMOVE, no merging"),
  sys(149, "mlock", ["ptr", "size"], (t) => setLocked(t, true)),
  sys(150, "munlock", ["ptr", "size"], (t) => setLocked(t, false)),
  sys(151, "mlockall", ["hex"], mlockall),
  sys(152, "munlockall", [], munlockall),
  sys(324, "membarrier", ["int", "hex", "int"], membarrier),
  sys(325, "mlock2", ["ptr", "size", "hex"], (t) => (t.int(2) & ~MLOCK_ONFAULT) !== 0 ? -E.EINVAL : setLocked(t, true)),
];
