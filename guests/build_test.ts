import assert from "node:assert/strict";
import { inspectExecutable } from "../roottask/diagnose.ts";
import { execute, type Outcome, runHedra, text } from "../tests/process.ts";
import { testWith, workDirectory } from "../tests/tools.ts";
import { bootImage, buildGuest, committedGuests, type Guest, GUESTS, hasTool } from "./build.ts";
import { IMAGE } from "./image.ts";
import { packTar, unpackTar } from "./tar.ts";

const BIGGEST_IMAGE = 1_500_000;
/** Times and process ids differ from run to run. */
const stable = (outcome: Outcome) => ({
  code: outcome.code,
  stdout: text(outcome.stdout).replace(/ns=[\d.]+/g, "ns=N"),
  stderr: text(outcome.stderr),
});

/** Arguments that keep a guest short. */
const ARGUMENTS: Record<string, string[]> = {
  "bin/bench": ["10"],
  "bin/kernels": ["tak", "1"],
  "bin/matrix": ["5"],
  "bin/circle": ["3", "x"],
};
/** What it prints are measurements of a whole run. */
const UNSTABLE = new Set(["bin/kernels"]);

function store(guest: Guest, bytes: Uint8Array, suffix: string): string {
  const path = `${workDirectory()}/${suffix}`;
  Deno.mkdirSync(path, { recursive: true });
  const file = `${path}/${guest.name.slice(4)}`;
  Deno.writeFileSync(file, bytes, { mode: 0o755 });
  return file;
}

Deno.test("the boot image is small, holds every guest, and packs to the same bytes", () => {
  const image = Deno.readFileSync(IMAGE);
  assert.ok(image.length <= BIGGEST_IMAGE, `${image.length} bytes`);
  const members = committedGuests();
  const programs = new Map([...members].filter(([name]) => !name.endsWith("/")).map(([name, member]) => [name, member.bytes]));
  assert.deepEqual([...programs.keys()].sort(), GUESTS.map((guest) => guest.name).sort());
  assert.deepEqual(bootImage(programs), image);
  assert.deepEqual(packTar(unpackTar(image)), image);
});

Deno.test("every guest is a static executable without a path of the machine that built it", () => {
  for (const [name, { bytes }] of committedGuests()) {
    if (name.endsWith("/")) continue;
    const found = inspectExecutable((at, length) => bytes.subarray(at, at + length), bytes.length);
    assert.deepEqual(found, { kind: "elf", interpreter: undefined }, name);
    assert.doesNotMatch(new TextDecoder("latin1").decode(bytes), /\/home\/|\/root\/|\/Users\/|\/guests\/|file:\/\//, name);
  }
});

for (const guest of GUESTS) {
  testWith(
    guest.tool === "rustc" ? [] : [guest.tool],
    `${guest.name} built from ${guest.source} behaves like the committed one`,
    async () => {
      if (!(await hasTool(guest.tool))) {
        return console.log(`skipped: ${guest.name} needs ${guest.tool} with its x86_64-unknown-linux-musl target`);
      }
      const committed = committedGuests().get(guest.name);
      assert.ok(committed, guest.name);
      const built = await buildGuest(guest);
      const same = built.length === committed.bytes.length && built.every((byte, i) => byte === committed.bytes[i]);
      if (same || UNSTABLE.has(guest.name)) return;
      const run = (bytes: Uint8Array, suffix: string) => {
        const file = store(guest, bytes, suffix), args = ARGUMENTS[guest.name] ?? [];
        return guest.hyperapp
          ? runHedra(["run", file, ...args])
          : execute(`./${guest.name.slice(4)}`, args, { cwd: file.replace(/\/[^/]*$/, ""), env: {} });
      };
      assert.deepEqual(stable(await run(built, "built")), stable(await run(committed.bytes, "committed")));
    },
  );
}
