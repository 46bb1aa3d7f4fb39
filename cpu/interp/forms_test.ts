import { equal } from "node:assert/strict";
import { decode } from "../decode.ts";
import type { Insn } from "../insn.ts";
import { Forms } from "./forms.ts";
import { formOf } from "./handlers.ts";

/** Deterministic bytes. */
function* bytes(): Generator<number> {
  for (let x = 0x2545_f491;; x = (Math.imul(x, 0x41c6_4e6d) + 0x3039) | 0) yield (x >>> 16) & 0xff;
}

Deno.test("two instructions share a handler when, and only when, their form keys agree", () => {
  const forms = new Forms(), slots = new Map<string, number>(), random = bytes();
  const next = () => random.next().value as number; // never ends
  const openings = [[], [0x66], [0xf2], [0xf3], [0x48], [0x67], [0x64], [0x65], [0x66, 0x41], [0x0f], [0x66, 0x0f], [0xf3, 0x0f]];
  for (const map of [0xe1, 0xe2, 0xe3, 0x61, 0x62]) openings.push([0xc4, map]);
  for (const opening of openings) {
    for (let n = 0; n < 6000; n++) {
      const code = Uint8Array.from([...opening, ...Array.from({ length: 14 }, next)]);
      const i = decode(code, 0, code.length, 0x1000);
      if (!("invalid" in i)) check(i);
    }
  }
  function check(i: Insn): void {
    const key = formOf(i), slot = slots.get(key);
    equal(forms.find(i), slot, key);
    if (slot !== undefined) return;
    slots.set(key, slots.size);
    forms.add(i, slots.size - 1);
  }
});
