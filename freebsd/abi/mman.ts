/** sys/sys/mman.h. */
export const MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_STACK = 0x400, MAP_ANON = 0x1000, MAP_GUARD = 0x2000;
export const MAP_EXCL = 0x4000, MAP_ALIGNMENT_SHIFT = 24, MAP_32BIT = 0x8_0000;
/** MADV_DONTNEED keeps the contents, unlike Linux's. */
export const MADV_FREE = 5, MADV_LAST = 10;
/** VM_MAXUSER_ADDRESS less what this machine keeps. */
export const PROT_ALL = 7;
