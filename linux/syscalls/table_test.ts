import assert from "node:assert/strict";
import { LAST_CALL, SYSCALLS } from "./table.ts";

/** Numbers that the x86-64 table leaves out (include/uapi/asm-generic/unistd.h starts the common ones at 424). */
const GAP_FIRST = 335, GAP_LAST = 423;

Deno.test("every system-call number of the kernel's table has exactly one named row", () => {
  const numbers = SYSCALLS.map((row) => row.number);
  const expected = Array.from({ length: LAST_CALL + 1 }, (_, i) => i).filter((n) => n < GAP_FIRST || n > GAP_LAST);
  assert.deepEqual(numbers, expected);
  assert.equal(new Set(SYSCALLS.map((row) => row.name)).size, SYSCALLS.length);
});

Deno.test("a row has a handler exactly when the call is supported", () => {
  for (const row of SYSCALLS) assert.equal(row.handler !== undefined, row.support.level !== "none", row.name);
});

Deno.test("no call has more than six arguments", () => {
  for (const row of SYSCALLS) assert.ok(row.args.length <= 6, row.name);
});
