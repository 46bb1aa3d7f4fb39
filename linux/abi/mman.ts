/** Constants of <asm-generic/mman-common.h>, <asm-generic/mman.h>, <linux/mman.h>. */
export const PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
export const PROT_GROWSDOWN = 0x0100_0000, PROT_GROWSUP = 0x0200_0000;
export const MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 0xf, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20;
export const MAP_32BIT = 0x40, MAP_GROWSDOWN = 0x100, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000;
export const MAP_STACK = 0x2_0000, MAP_HUGETLB = 0x4_0000, MAP_FIXED_NOREPLACE = 0x10_0000;
export const MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4;
export const MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4;

// deno-fmt-ignore
export const MADV = {
  NORMAL: 0, RANDOM: 1, SEQUENTIAL: 2, WILLNEED: 3, DONTNEED: 4, FREE: 8, REMOVE: 9, DONTFORK: 10, DOFORK: 11, MERGEABLE: 12,
  UNMERGEABLE: 13, HUGEPAGE: 14, NOHUGEPAGE: 15, DONTDUMP: 16, DODUMP: 17, WIPEONFORK: 18, KEEPONFORK: 19, COLD: 20, PAGEOUT: 21,
  POPULATE_READ: 22, POPULATE_WRITE: 23, DONTNEED_LOCKED: 24, COLLAPSE: 25,
} as const;

/** End of the user half with 4-level paging, less the guard page: TASK_SIZE of arch/x86/include/asm/page_64_types.h. */
export const TASK_SIZE = 0x7fff_ffff_f000;
/** vm.mmap_min_addr. */
export const MMAP_MIN_ADDR = 0x1_0000;
/** vm.max_map_count: areas of an address space. */
export const MAX_MAP_COUNT = 65530;
export const PAGE = 4096;

export const pageDown = (x: number): number => x - x % PAGE;
export const pageUp = (x: number): number => pageDown(x + PAGE - 1);
