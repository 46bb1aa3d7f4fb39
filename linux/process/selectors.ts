import { HOST_PD } from "../../roottask/protocol.ts";

/** Free selectors of the personality's capability space. Freed ones are used again, so that long runs do not leave the space. */
export class Selectors {
  #next: number;
  #nextBlock: number;
  readonly #free: number[] = [];
  readonly #freeBlocks: number[] = [];

  constructor() {
    this.#next = HOST_PD.FREE;
    // Blocks of 64 lie far above the single selectors.
    this.#nextBlock = 0x10_0000;
  }

  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** 64 selectors, aligned to 64. */
  takeBlock(): number {
    const block = this.#freeBlocks.pop();
    if (block !== undefined) return block;
    this.#nextBlock += 64;
    return this.#nextBlock - 64;
  }

  /** Preconditions: the capability there has been revoked. */
  give(selector: number): void {
    this.#free.push(selector);
  }

  giveBlock(base: number): void {
    this.#freeBlocks.push(base);
  }
}
