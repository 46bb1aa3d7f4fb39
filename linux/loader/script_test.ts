import assert from "node:assert/strict";
import { E } from "../abi/errno.ts";
import { textToBytes } from "../trace/text.ts";
import { PREFIX_BYTES, scriptLine } from "./script.ts";

/** The first bytes of a file, padded as the loader reads them. */
function head(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PREFIX_BYTES);
  bytes.set(textToBytes(text).subarray(0, PREFIX_BYTES));
  return bytes;
}

const accepted: readonly (readonly [line: string, path: string, argument: string | undefined])[] = [
  ["#!/bin/sh\necho", "/bin/sh", undefined],
  ["#! /bin/sh\n", "/bin/sh", undefined],
  ["#!/usr/bin/env  python3 -u \n", "/usr/bin/env", "python3 -u"],
  ["#!\t/bin/awk\t-f\n", "/bin/awk", "-f"],
  ["#!/bin/sh", "/bin/sh", undefined],
];
for (const [line, path, argument] of accepted) {
  Deno.test(`scriptLine() reads ${JSON.stringify(line)}`, () => assert.deepEqual(scriptLine(head(line)), { path, argument }));
}

for (const line of ["plain text", "#!\n", "#!   \n", "#", `#!/${"x".repeat(300)}\n`]) {
  Deno.test(`scriptLine() refuses ${JSON.stringify(line.slice(0, 20))}`, () => assert.equal(scriptLine(head(line)), -E.ENOEXEC));
}

Deno.test("an argument may be cut off, a path may not", () => {
  const line = scriptLine(head(`#!/bin/sh ${"y".repeat(300)}`));
  assert.equal(typeof line === "object" && line.path, "/bin/sh");
});
