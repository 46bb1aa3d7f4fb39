import assert from "node:assert/strict";
import { SYSCALLS } from "../syscalls/table.ts";
import { traceSet, TraceSetError } from "./sets.ts";

const names = (text: string): string[] => SYSCALLS.filter(({ number }) => traceSet(text).has(number)).map(({ name }) => name);

Deno.test("a trace set holds the calls that it names", () => {
  assert.deepEqual(names("write,read,openat"), ["read", "write", "openat"]);
});

Deno.test("a class holds the calls that the table puts there", () => {
  const file = names("%file");
  for (const name of ["open", "openat", "execve", "stat", "unlink"]) assert.ok(file.includes(name), name);
  for (const name of ["read", "mmap", "socket"]) assert.ok(!file.includes(name), name);
  assert.ok(names("%network").includes("socket"));
  assert.deepEqual(names("%net"), names("%network"));
});

Deno.test("an exclamation mark turns a trace set round", () => {
  const rest = names("!%memory,write");
  assert.ok(rest.includes("read") && !rest.includes("write") && !rest.includes("mmap"));
  assert.equal(names("!none").length, SYSCALLS.length);
  assert.deepEqual(names("!all"), []);
});

for (const text of ["frobnicate", "%frob", "read,", "", "%constructor"]) {
  Deno.test(`the trace set ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => traceSet(text), TraceSetError);
  });
}
