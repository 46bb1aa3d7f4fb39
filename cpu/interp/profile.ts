/** What the interpreter has noted in records about memory accesses. */
import type { Ram } from "../api.ts";
import { controlOf } from "../control.ts";
import type { Insn } from "../insn.ts";
import { REC_MIN, REC_VA } from "./record.ts";

export class Profile {
  constructor(private readonly ram: Ram) {}

  /** Highest and lowest virtual address that access `n` of an instruction has used; highest 0 = none. */
  lowestAddress(record: number, n: number): number {
    const at = record + REC_MIN + 8 * n;
    return this.ram.u32[at >> 2] + this.ram.u32[(at >> 2) + 1] * 0x1_0000_0000;
  }
  highestAddress(record: number, n: number): number {
    const at = record + REC_VA + 8 * n;
    return this.ram.u32[at >> 2] + this.ram.u32[(at >> 2) + 1] * 0x1_0000_0000;
  }
  /**
   * The instruction of the record is about to be executed: the function returned tells the addresses that it has accessed since. (Those of
   * the profile before that are kept.)
   */
  probe(record: number, first: Insn): () => number[] {
    const slots = controlOf(first.name) === "jump" ? [0] : [0, 1], { i32 } = this.ram;
    const high = (n: number) => (record + REC_VA + 8 * n) >> 2, low = (n: number) => (record + REC_MIN + 8 * n) >> 2;
    const before = slots.map((n) => ({
      high: this.highestAddress(record, n),
      low: this.lowestAddress(record, n),
      words: [i32[high(n)], i32[high(n) + 1], i32[low(n)], i32[low(n) + 1]],
    }));
    for (const n of slots) {
      i32.fill(0, high(n), high(n) + 2);
      i32.fill(-1, low(n), low(n) + 2);
    }
    return () => {
      const seen: number[] = [];
      slots.forEach((n) => {
        const { words, ...was } = before[n], now = this.highestAddress(record, n);
        if (now !== 0) seen.push(now);
        if (was.high >= now) i32.set(words.slice(0, 2), high(n));
        if (was.low <= this.lowestAddress(record, n)) i32.set(words.slice(2), low(n));
      });
      return seen;
    };
  }
}
