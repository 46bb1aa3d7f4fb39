import { PAGE, pageDown } from "../abi/mman.ts";
import { PROCESS } from "../../roottask/protocol.ts";

/** Where the parts of a new address space are put: arch/x86/mm/mmap.c, fs/binfmt_elf.c. Page-aligned, bytes. */
export interface Layout {
  /** First address above the stack. */
  readonly stackTop: number;
  /** Unused bytes at the top of the stack, a multiple of 16. */
  readonly stackSlack: number;
  /** Of programs that may lie anywhere. */
  readonly pieBase: number;
  /** How far below the stack's gap mmap begins. */
  readonly mmapShift: number;
  /** Distance of the heap from the program. */
  readonly heapGap: number;
}

/** ELF_ET_DYN_BASE, arch/x86/include/asm/elf.h. */
const PIE_BASE = 0x5555_5555_4000;
/** Distance of the mmap area from the stack: at least this. */
const MIN_GAP = 128 << 20;
const STACK_GUARD = 1 << 20;
/** Random bits of vm.mmap_rnd_bits (also for programs), of the stack and of the heap, in pages: the defaults of x86-64. */
const MMAP_BITS = 28, STACK_BITS = 22, HEAP_BITS = 13;
/** arch_align_stack(). */
const SLACK_BYTES = 8192;

/** As with `setarch -R` or kernel.randomize_va_space = 0. */
export const FIXED_LAYOUT: Layout = { stackTop: PROCESS.STACK_TOP, stackSlack: 0, pieBase: PIE_BASE, mmapShift: 0, heapGap: 0 };

/** A layout from 16 random bytes. */
export function randomLayout(random: DataView): Layout {
  const pages = (n: number, bits: number): number => (random.getUint32(4 * n, true) >>> (32 - bits)) * PAGE;
  return {
    stackTop: PROCESS.STACK_TOP - pages(0, STACK_BITS),
    // What the pages have not used of that number.
    stackSlack: random.getUint32(0, true) % SLACK_BYTES & ~15,
    pieBase: PIE_BASE + pages(1, MMAP_BITS),
    mmapShift: pages(2, MMAP_BITS),
    heapGap: pages(3, HEAP_BITS),
  };
}

/** mmap_base(): mappings without an address go below. `stackLimit`: RLIMIT_STACK. */
export function mmapBase({ stackTop, mmapShift }: Layout, stackLimit: number): number {
  const gap = Math.min(Math.max(stackLimit + STACK_GUARD, MIN_GAP), stackTop / 6);
  return pageDown(stackTop - gap) - mmapShift;
}
