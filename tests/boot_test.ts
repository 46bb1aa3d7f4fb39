import assert from "node:assert/strict";
import { committedRoottasks } from "../guests/roottasks.ts";
import { runHedra, text } from "./process.ts";
import { workDirectory } from "./tools.ts";

/** A roottask of the image as a file, perhaps spoiled. */
function roottask(name: string, change: (view: DataView) => void = () => {}): string {
  const member = committedRoottasks().get(name);
  assert.ok(member, `roottasks.tar has no ${name}`);
  const bytes = new Uint8Array(member.bytes), path = `${workDirectory()}/${name}`;
  change(new DataView(bytes.buffer));
  Deno.writeFileSync(path, bytes);
  return path;
}

for (const [version, name, least] of [["5004", "conformance", 420], ["13.2", "conformance-13.2", 375]] as const) {
  Deno.test(`the conformance suite passes in every line with API ${version}`, async () => {
    const { code, stdout } = await runHedra([
      ...["boot", "--roottask", roottask(name), "--abi", version],
      ...["--cmdline", "conformance suite", "--timeout", "60"],
    ]);
    const lines = text(stdout).trimEnd().split("\n"), last = lines.pop();
    assert.deepEqual(lines.filter((line) => !line.startsWith("ok ")), []);
    assert.equal(last, `conformance: ${lines.length} checks, 0 failed`);
    assert.ok(lines.length >= least);
    assert.equal(code, 0);
  });
}

Deno.test("a C roottask starts two hyperapps and a Linux program, and outlives them", async () => {
  const { code, stdout, stderr } = await runHedra(["boot", "--roottask", roottask("roottask"), "--verbose", "--timeout", "60"]);
  const printed = text(stdout);
  for (
    const line of [
      "hyperapp 1: hello from a protection domain of my own",
      "roottask: hyperapp 2 ended by exception 14 at address 0x40000000",
      "linux program: hello through write(1)",
      "roottask: linux called exit_group(7)",
    ]
  ) assert.ok(printed.includes(`${line}\n`), `${line} is missing in: ${printed}`);
  assert.match(printed, /all programs have ended\n$/);
  assert.equal(text(stderr), "hedra: Machine is idle: every EC waits and no timer runs\n");
  assert.equal(code, 0);
});

Deno.test("--ps, --caps and --trace show what a roottask in machine code has made", async () => {
  const file = `${workDirectory()}/trace.json`;
  const { code, stdout, stderr } = await runHedra([
    ...["boot", "--roottask", roottask("roottask"), "--timeout", "60"],
    ...["--ps", "--caps", "--trace", file],
  ]);
  assert.match(text(stdout), /^PD \d+ roottask, guest, \d+ KiB mapped\n├─ EC \d+ roottask, global, blocked\n/m);
  assert.match(text(stdout), /^ +32 {2}PD {2}create +roottask +created here\n/m);
  assert.match(text(stderr), /Trace for .*trace.json \(.*\d+ foreign.*\)\n/);
  assert.ok(JSON.parse(Deno.readTextFileSync(file)).traceEvents.length > 100);
  assert.equal(code, 0);
});

for (
  const [what, reason, change] of [
    ["without magic", /No ELF: not an ELF file/, (v: DataView) => v.setUint8(0, 0)],
    ["that is position-independent", /No ELF: not linked to a fixed address/, (v: DataView) => v.setUint16(0x10, 3, true)],
    ["with .bss", /Bad ELF: segment 0 is larger in memory/, (v: DataView) => v.setUint32(64 + 0x28, 1 << 24, true)],
  ] as const
) {
  Deno.test(`a roottask ${what} is refused with a reason`, async () => {
    const { code, stderr } = await runHedra(["boot", "--roottask", roottask("conformance", change)]);
    assert.match(text(stderr), reason);
    assert.equal(code, 126);
  });
}
