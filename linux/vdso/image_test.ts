import assert from "node:assert/strict";
import { VDSO_IMAGE } from "./image.ts";

const image = Uint8Array.from(atob(VDSO_IMAGE), (c) => c.charCodeAt(0));
const data = new DataView(image.buffer);

Deno.test("the vDSO is one loadable page of an x86-64 shared object", () => {
  assert.equal(data.getUint32(0, false), 0x7f45_4c46);
  assert.equal(data.getUint16(16, true), 3);
  assert.equal(data.getUint16(18, true), 62);
  assert.ok(image.length <= 4096);
});

Deno.test("the vDSO has the four functions that C libraries look for, in version LINUX_2.6", () => {
  const text = new TextDecoder("latin1").decode(image);
  for (const name of ["clock_gettime", "gettimeofday", "time", "getcpu"]) assert.ok(text.includes(`\0__vdso_${name}\0`), name);
  assert.ok(text.includes("\0LINUX_2.6\0"));
});
