import assert from "node:assert/strict";
import { E } from "../abi/errno.ts";
import type { Thread } from "../process/thread.ts";
import { FdTable } from "./fd_table.ts";
import { OpenFile } from "./open_file.ts";

/** Nothing of a thread is needed to close these. */
const NOBODY = undefined as unknown as Thread;

class Probe extends OpenFile {
  isClosed = false;
  override get path(): string {
    return "probe";
  }
  override stat(): number {
    return 0;
  }
  protected override closed(): void {
    this.isClosed = true;
  }
}

Deno.test("the lowest free descriptor is given out", () => {
  const table = new FdTable();
  for (let i = 0; i < 4; i++) assert.equal(table.add(new Probe(0), false, 10), i);
  table.close(NOBODY, 1);
  table.close(NOBODY, 3);
  assert.equal(table.add(new Probe(0), false, 10), 1);
  assert.equal(table.add(new Probe(0), false, 10, 2), 3);
  assert.equal(table.add(new Probe(0), false, 10, 7), 7);
  assert.equal(table.add(new Probe(0), false, 10), 4);
});

Deno.test("the limit gives EMFILE, an unknown descriptor EBADF", () => {
  const table = new FdTable();
  table.add(new Probe(0), false, 1);
  assert.equal(table.add(new Probe(0), false, 1), -E.EMFILE);
  assert.equal(table.close(NOBODY, 5), -E.EBADF);
  assert.equal(table.close(NOBODY, -1), -E.EBADF);
});

Deno.test("a description is closed with its last descriptor", () => {
  const table = new FdTable();
  const file = new Probe(0);
  table.add(file, false, 10);
  table.place(NOBODY, 5, file.dup(), true);
  const copy = table.copy();
  assert.ok(copy.isCloexec(5) && !copy.isCloexec(0));
  copy.closeAll(NOBODY);
  table.close(NOBODY, 0);
  assert.ok(!file.isClosed);
  table.closeOnExec(NOBODY);
  assert.ok(file.isClosed);
});
