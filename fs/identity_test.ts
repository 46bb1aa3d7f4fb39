import assert from "node:assert/strict";
import { CAP, type Identity, MAY_EXEC, MAY_READ, MAY_WRITE, modePermits, SUPERUSER } from "./identity.ts";

const user = (uid: number, gid: number, groups: number[] = [], capabilities = 0): Identity => ({
  uid,
  gid,
  groups,
  capabilities,
});
const file = (mode: number) => ({ mode: 0o100000 | mode, uid: 10, gid: 20 });
const directory = (mode: number) => ({ mode: 0o040000 | mode, uid: 10, gid: 20 });

Deno.test("the digit of the mode is that of the owner, else of the group, else of the others", () => {
  assert.equal(modePermits(user(10, 20), file(0o077), MAY_READ), false);
  assert.equal(modePermits(user(11, 20), file(0o707), MAY_READ), false);
  assert.equal(modePermits(user(11, 21, [5, 20]), file(0o040), MAY_READ), true);
  assert.equal(modePermits(user(11, 21), file(0o004), MAY_READ), true);
  assert.equal(modePermits(user(11, 21), file(0o004), MAY_READ | MAY_WRITE), false);
});

Deno.test("root does everything but executing what nobody may execute", () => {
  assert.equal(modePermits(SUPERUSER, file(0), MAY_READ | MAY_WRITE), true);
  assert.equal(modePermits(SUPERUSER, file(0o666), MAY_EXEC), false);
  assert.equal(modePermits(SUPERUSER, file(0o001), MAY_EXEC), true);
  assert.equal(modePermits(SUPERUSER, directory(0), MAY_EXEC), true);
});

Deno.test("CAP_DAC_READ_SEARCH reads files and searches directories, no more", () => {
  const reader = user(1, 1, [], CAP.DAC_READ_SEARCH);
  assert.equal(modePermits(reader, file(0), MAY_READ), true);
  assert.equal(modePermits(reader, file(0o001), MAY_READ | MAY_WRITE), false);
  assert.equal(modePermits(reader, directory(0), MAY_READ | MAY_EXEC), true);
  assert.equal(modePermits(reader, directory(0o770), MAY_WRITE), false);
});
