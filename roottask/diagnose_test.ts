import assert from "node:assert/strict";
import { inspectExecutable } from "./diagnose.ts";

const inspect = (bytes: Uint8Array) => inspectExecutable((at, length) => bytes.subarray(at, at + length), bytes.length);
const text = (content: string) => new TextEncoder().encode(content);

/** The smallest good executable: one segment that holds the headers. */
function minimal(): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(64 + 56);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  for (const [at, value] of [[16, 2], [18, 62], [52, 64], [54, 56], [56, 1]]) view.setUint16(at, value, true);
  view.setUint32(24, 0x400000, true);
  view.setUint32(32, 64, true);
  for (const [at, value] of [[0, 1], [4, 5], [16, 0x400000], [32, 120], [40, 120], [48, 0x1000]]) {
    view.setUint32(64 + at, value, true);
  }
  return { bytes, view };
}

Deno.test("a minimal executable is accepted", () => {
  assert.deepEqual(inspect(minimal().bytes), { kind: "elf", interpreter: undefined });
});

Deno.test("a script's interpreter is found with and without blanks and arguments", () => {
  assert.deepEqual(inspect(text("#!/bin/sh\n")), { kind: "script", interpreter: "/bin/sh" });
  assert.deepEqual(inspect(text("#!  /usr/bin/env -S deno run")), { kind: "script", interpreter: "/usr/bin/env" });
  assert.deepEqual(inspect(text("#!\n")), { kind: "bad", reason: "a script without an interpreter" });
});

Deno.test("no change of one header byte makes the inspection throw", () => {
  for (let at = 0; at < 120; at++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const { bytes } = minimal();
      bytes[at] = value;
      assert.ok(["elf", "script", "bad"].includes(inspect(bytes).kind));
    }
  }
});

Deno.test("every truncation is refused", () => {
  const { bytes } = minimal();
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(inspect(bytes.subarray(0, length)).kind, "bad", `${length} bytes`);
  }
});

Deno.test("a segment that wraps around the address space is refused", () => {
  const { bytes, view } = minimal();
  view.setUint32(64 + 44, 0xffff_ffff, true);
  assert.deepEqual(inspect(bytes).kind, "bad");
});
