import { deepStrictEqual } from "node:assert/strict";
import { copyDown, copyUp } from "./strings.ts";

const LENGTH = 400;
const pattern = (): Uint8Array => Uint8Array.from({ length: LENGTH }, (_, n) => (n * 37 + (n >> 3)) & 255);

/** What MOVS does: whole elements, one after the other. */
function oneByOne(u8: Uint8Array, to: number, from: number, bytes: number, size: number, down: boolean): void {
  for (let n = 0; n < bytes; n += size) {
    const at = down ? bytes - size - n : n;
    const element = u8.slice(from + at, from + at + size);
    u8.set(element, to + at);
  }
}

function agrees(copy: typeof copyUp, down: boolean): void {
  for (const size of [1, 2, 4, 8]) {
    for (let distance = -40; distance <= 40; distance++) {
      for (const elements of [0, 1, 2, 3, 7, 8, 15]) {
        const expected = pattern(), actual = pattern(), from = 150, bytes = elements * size;
        oneByOne(expected, from + distance, from, bytes, size, down);
        copy(actual, from + distance, from, bytes, size);
        deepStrictEqual(actual, expected, `size ${size}, distance ${distance}, ${elements} elements`);
      }
    }
  }
}

Deno.test("an upward copy equals element-wise moves for every overlap", () => agrees(copyUp, false));
Deno.test("a downward copy equals element-wise moves for every overlap", () => agrees(copyDown, true));
