import { MMAP_MIN_ADDR, PAGE, pageUp, TASK_SIZE } from "../../linux/abi/mman.ts";
import { FsMapping } from "../../linux/files/fs_mapping.ts";
import { SharedObject } from "../../linux/memory/shared.ts";
import { newVma } from "../../linux/memory/vma.ts";
import type { Result } from "../../linux/process/wait.ts";
import { E, fromService } from "../abi/errno.ts";
import * as M from "../abi/mman.ts";
import { S_IFREG } from "../files.ts";
import { SIGCODE } from "../loader.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

function mmap(t: Thread): Result {
  const address = t.arg(0), length = t.arg(1), prot = t.int(2) & M.PROT_ALL, flags = t.int(3), offset = t.arg(5);
  const { mm } = t.process.space, bytes = pageUp(length);
  const guard = (flags & M.MAP_GUARD) !== 0, anonymous = guard || (flags & (M.MAP_ANON | M.MAP_STACK)) !== 0;
  if (length === 0 || offset % PAGE !== 0 && !anonymous) return -E.EINVAL;
  if (!(bytes <= SIGCODE)) return -E.ENOMEM;
  if (guard && (prot !== 0 || t.int(4) !== -1)) return -E.EINVAL;
  const shared = (flags & M.MAP_SHARED) !== 0;
  if (shared && (flags & M.MAP_PRIVATE) !== 0) return -E.EINVAL;

  let start: number;
  if ((flags & M.MAP_FIXED) !== 0) {
    if (address % PAGE !== 0) return -E.EINVAL;
    if (!(address + bytes <= SIGCODE) || address === 0) return -E.ENOMEM;
    if ((flags & M.MAP_EXCL) !== 0 && mm.vmas.intersects(address, address + bytes)) return -E.EINVAL;
    start = address;
  } else {
    const hint = pageUp(address);
    const usable = address !== 0 && hint >= MMAP_MIN_ADDR && hint + bytes <= SIGCODE && !mm.vmas.intersects(hint, hint + bytes);
    const align = 2 ** (flags >>> M.MAP_ALIGNMENT_SHIFT), slack = align > PAGE ? align : 0;
    const found = usable ? hint : mm.findGap(bytes + slack, (flags & M.MAP_32BIT) !== 0 ? 0x8000_0000 : undefined);
    if (found === undefined) return -E.ENOMEM;
    start = slack === 0 ? found : Math.ceil(found / align) * align;
  }

  const vma = newVma(start, start + bytes, prot);
  if (!anonymous) {
    const file = t.process.files.get(t.int(4));
    if (file === undefined) return -E.EBADF;
    if (file.handle === undefined || file.type !== S_IFREG) return -E.ENODEV;
    // A shared mapping is refused where it would have to write back.
    if (shared && (prot & 2) !== 0) return -E.EOPNOTSUPP;
    const stat = t.os.statBuffer, status = fromService(t.os.fs.fstat(file.handle, stat));
    if (status < 0) return status;
    t.os.fs.dup(file.handle);
    vma.file = new FsMapping(t.os.fs, t.os.fileCache, file.handle, t.process.path, stat);
    vma.offset = offset;
  } else if (shared) {
    vma.shared = new SharedObject(t.os.pool, undefined, bytes);
  }
  if (mm.add(vma)) return start;
  mm.remove(start, start + bytes);
  return -E.ENOMEM;
}

function munmap(t: Thread): Result {
  const start = t.arg(0), length = t.arg(1);
  if (start % PAGE !== 0 || length === 0 || !(start + length <= SIGCODE)) return -E.EINVAL;
  t.process.space.mm.remove(start, start + pageUp(length));
  return 0;
}

function mprotect(t: Thread): Result {
  const start = t.arg(0), end = start + pageUp(t.arg(1));
  if (start % PAGE !== 0 || !(end <= TASK_SIZE)) return -E.EINVAL;
  const { mm } = t.process.space;
  if (!mm.covered(start, end)) return -E.ENOMEM;
  mm.protect(start, end, t.int(2) & M.PROT_ALL);
  return 0;
}

/** Only MADV_FREE changes anything: its pages may read as zero afterwards, and do. */
function madvise(t: Thread): Result {
  const start = t.arg(0), end = start + pageUp(t.arg(1)), advice = t.int(2);
  if (advice < 0 || advice > M.MADV_LAST || start % PAGE !== 0 || !(end <= TASK_SIZE)) return -E.EINVAL;
  if (advice === M.MADV_FREE) t.process.space.mm.unback(start, end);
  return 0;
}

export const MEMORY_CALLS: readonly SyscallRow[] = [
  sys(73, "munmap", 2, munmap),
  sys(74, "mprotect", 3, mprotect),
  sys(75, "madvise", 3, madvise),
  sys(203, "mlock", 2, () => 0),
  sys(204, "munlock", 2, () => 0),
  sys(477, "mmap", 6, mmap, "no writable shared file mappings"),
];
