import type { Cpu } from "../cpu/api.ts";
import { KERNEL_MEMORY, PAGE, STATE_BYTES, USER_RAM } from "../cpu/layout.ts";
import { FRAME_BYTES } from "./frame.ts";

const BLOCK_BYTES = STATE_BYTES + FRAME_BYTES;

/**
 * Kernel memory [KERNEL_MEMORY, USER_RAM): UTCB (and HIP) pages grow upwards, state blocks with their interrupt frames
 * downwards. What is freed is used again first, so the number of ECs ever made does not matter, only how many live at once.
 */
export class KernelMemory {
  #nextPage = KERNEL_MEMORY;
  #lastBlock = USER_RAM;
  readonly #freePages: number[] = [];
  readonly #freeBlocks: number[] = [];
  constructor(private readonly cpu: Cpu) {}

  /** A zero-filled page, or 0 when kernel memory is exhausted. */
  page(): number {
    let page = this.#freePages.pop();
    if (page === undefined) {
      if (this.#nextPage + PAGE > this.#lastBlock) return 0;
      page = this.#nextPage;
      this.#nextPage += PAGE;
    }
    this.cpu.ram.u8.fill(0, page, page + PAGE);
    return page;
  }

  /** Adjacent zero-filled pages that are kept for ever, or 0. */
  range(bytes: number): number {
    const start = this.#nextPage;
    if (start + bytes > this.#lastBlock) return 0;
    this.#nextPage += bytes;
    this.cpu.ram.u8.fill(0, start, start + bytes);
    return start;
  }

  freePage(page: number): void {
    this.#freePages.push(page);
  }

  /** A state block (its frame lies STATE_BYTES after it), or 0 when kernel memory is exhausted. */
  block(): number {
    let block = this.#freeBlocks.pop();
    if (block === undefined) {
      if (this.#lastBlock - BLOCK_BYTES < this.#nextPage) return 0;
      block = this.#lastBlock -= BLOCK_BYTES;
    }
    this.cpu.ram.u8.fill(0, block, block + BLOCK_BYTES);
    return block;
  }

  freeBlock(block: number): void {
    this.cpu.discard(block);
    this.#freeBlocks.push(block);
  }

  /** Bytes in use, for tests and the inspector. */
  get used(): number {
    return (this.#nextPage - KERNEL_MEMORY) - this.#freePages.length * PAGE +
      (USER_RAM - this.#lastBlock) - this.#freeBlocks.length * BLOCK_BYTES;
  }
}
