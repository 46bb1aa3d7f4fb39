import assert from "node:assert/strict";
import { execute, HEDRA, REPOSITORY, runHedra, text } from "./process.ts";
import { testWith, workDirectory } from "./tools.ts";

/** A program that may lie anywhere, with libraries: what gcc makes unless told otherwise. */
async function position(): Promise<string> {
  const output = `${workDirectory()}/addresses`;
  const made = await execute("gcc", ["-pie", "-fPIE", `${REPOSITORY}tests/programs/addresses.c`, "-o", output]);
  assert.equal(made.code, 0, text(made.stderr));
  return output;
}

const addresses = async (...options: string[]): Promise<string[]> => {
  const guest = await runHedra(["run", "--root", "/", ...options, await position()]);
  assert.equal(guest.code, 0, text(guest.stderr));
  return text(guest.stdout).trim().split("\n");
};

testWith(
  ["gcc"],
  "program, stack, heap and libraries are somewhere else in each machine, random numbers are others",
  async () => {
    const first = await addresses(), second = await addresses();
    const [a, b] = [first, second].map(([line]) => line.split(" "));
    a.forEach((address, i) => assert.notEqual(address, b[i]));
    assert.notEqual(first[2], second[2]);
  },
);

testWith(["gcc"], "--deterministic gives the same addresses, random numbers and date", async () => {
  const first = await addresses("--deterministic");
  assert.deepEqual(await addresses("--deterministic"), first);
  assert.match(first[0], /^0x5555555551[0-9a-f]+ 0x7fffff/);
  assert.match(first[2], /^2025 /);
});

Deno.test("--user starts programs as somebody else, who may not do what root may", async () => {
  for (const [options, ids] of [[[], "0 0"], [["--user", "1234"], "1234 1234"], [["--user", "1234:5"], "1234 5"]] as const) {
    const guest = await runHedra(["run", "--root", "/", ...options, "/bin/sh", "-c", "echo $(id -u) $(id -g)"]);
    assert.equal(text(guest.stdout), `${ids}\n`);
  }
  const guest = await runHedra(["run", "--root", "/", "--user", "1234", "/bin/sh", "-c", "echo x > /etc/hedra-was-here"]);
  assert.match(text(guest.stderr), /[Pp]ermission denied/);
  assert.notEqual(guest.code, 0);
});

Deno.test({
  name: "standard streams that are closed are closed for the guest",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const run = `${HEDRA.map((word) => `'${word}'`).join(" ")} run --root / /bin/sh -c 'cat; echo $?; echo x >&2'`;
    const both = await execute("sh", ["-c", `${run} <&- 2>&1`]);
    assert.equal(text(both.stdout), "cat: -: Bad file descriptor\ncat: closing standard input: Bad file descriptor\n1\nx\n");
    const silent = await execute("sh", ["-c", `${run} </dev/null 2>&-; echo $?`]);
    assert.equal(text(silent.stdout), "0\n2\n");
  },
});
