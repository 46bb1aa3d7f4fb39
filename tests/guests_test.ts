import assert from "node:assert/strict";
import { committedGuests } from "../guests/build.ts";
import { execute, GUEST_ENV, type Outcome, runHedra, text } from "./process.ts";
import { expectSameAsNative, testWith, workDirectory } from "./tools.ts";

const BOOT_TAR = new URL("../guests/boot.tar", import.meta.url).pathname;

/** Runs a program of the boot image under Hedra. */
const run = (name: string, ...args: string[]): Promise<Outcome> => runHedra(["run", "--root", BOOT_TAR, `/bin/${name}`, ...args]);

/** A Linux guest as a file of the host. */
function file(name: string): string {
  const path = `${workDirectory()}/${name}`;
  Deno.writeFileSync(path, committedGuests().get(`bin/${name}`)?.bytes ?? new Uint8Array(), { mode: 0o755 });
  return path;
}

const NATIVE: readonly (readonly [name: string, args: string[]])[] = [
  ["circle", ["1", "2.5", "1e-3", "x", "-4"]],
  ["matrix", ["7", "3"]],
  ["matrix", ["60"]],
  ["matrix", ["0"]],
  ["files", []],
];
for (const [name, args] of NATIVE) {
  testWith([], `${name} ${args.join(" ")} prints the same as on Linux`, () => expectSameAsNative(file(name), args));
}

Deno.test("the tour of the services succeeds at every stop", async () => {
  const outcome = await run("tour");
  assert.equal(outcome.code, 0, text(outcome.stdout));
  assert.doesNotMatch(text(outcome.stdout), /FAIL/);
  assert.equal(text(outcome.stderr), "tour: one line on stderr\n");
});

for (const name of ["hello", "hello-rust"]) {
  Deno.test(`${name} needs no Linux`, async () => {
    const outcome = await run(name);
    assert.equal(outcome.code, 0);
    assert.match(text(outcome.stdout), /^Hello from a hyperapp/);
  });
}

for (const name of ["hybrid", "hybrid-rust"]) {
  Deno.test(`${name} uses both worlds under Hedra`, async () => {
    const outcome = await run(name);
    assert.equal(outcome.code, 0, text(outcome.stdout));
    assert.match(text(outcome.stdout), /Hello from the Linux side[^]*There is a Hedron below[^]*Hello from the Hedron side/);
    assert.doesNotMatch(text(outcome.stdout), /FAIL/);
  });

  testWith([], `${name} is the same binary on plain Linux and does without Hedron`, async () => {
    if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return;
    const outcome = await execute(file(name), [], { env: GUEST_ENV });
    assert.equal(outcome.code, 0);
    assert.match(text(outcome.stdout), /There is no Hedron below: Linux only\n$/);
  });
}

Deno.test("the initial stack has arguments, environment and the auxiliary vector that a C library needs", async () => {
  const outcome = await run("auxv", "one", "two words");
  const out = text(outcome.stdout);
  assert.match(
    out,
    /^argc 3\nargv\[0\] \/bin\/auxv\nargv\[1\] one\nargv\[2\] two words\nargv\[argc\] NULL\nenvp follows argv: yes\n/,
  );
  assert.match(out, /^envp\[\d+\] LINUX_UNDER_HEDRON=true$/m);
  for (
    const line of [
      "AT_PAGESZ 4096",
      "AT_PHENT 56",
      "AT_RANDOM present",
      "AT_SECURE 0",
      'AT_EXECFN "/bin/auxv"',
      'AT_PLATFORM "x86_64"',
      "AT_CLKTCK 100",
    ]
  ) {
    assert.ok(out.includes(`auxv ${line}\n`), line);
  }
});

Deno.test("every operation of the benchmark program works, as Linux program, hybrid and hyperapp", async () => {
  for (const name of ["bench", "bench-hyperapp"]) {
    const outcome = await run(name, "10");
    assert.equal(outcome.code, 0, text(outcome.stderr));
    assert.match(text(outcome.stdout), /^ipc_cross_raw ns=\d/m);
  }
});

Deno.test("in the demo a crash ends only the program that crashed", async () => {
  const outcome = await runHedra(["demo"]);
  const out = text(outcome.stdout);
  assert.equal(outcome.code, 0, out);
  assert.match(out, /^crash +ended with 139: .*page fault/m);
  for (const name of ["hello", "tour", "circle", "matrix", "files", "hybrid", "hybrid-rust"]) {
    assert.match(out, new RegExp(`^${name} +ended with 0$`, "m"));
    assert.match(out, new RegExp(`^\\[${name} \\d+\\] `, "m"));
  }
  assert.doesNotMatch(out, /must never appear/);
});

Deno.test("programs of the demo run concurrently: their lines are interleaved", async () => {
  const speakers = text((await runHedra(["demo"])).stdout).split("\n").flatMap((line) => /^\[([\w-]+) /.exec(line)?.[1] ?? []);
  const changes = speakers.filter((name, i) => i > 0 && name !== speakers[i - 1]).length;
  assert.ok(changes > new Set(speakers).size, `${changes} changes of the speaker`);
});

/** Runs `hedra demo` on a pseudo-terminal, where colours are allowed. Undefined where there is no script(1) for it. */
async function demoOnTerminal(env: Record<string, string>): Promise<string | undefined> {
  const command = `"${Deno.execPath()}" run -A "${new URL("../main.ts", import.meta.url).pathname}" demo`;
  try {
    const result = await execute("script", ["-qec", command, "/dev/null"], { env: { ...Deno.env.toObject(), ...env } });
    // Without pseudo-terminals script(1) fails.
    return result.code === 0 ? text(result.stdout) : undefined;
  } catch {
    return undefined;
  }
}

Deno.test("the demo is coloured on a terminal unless NO_COLOR is set", async () => {
  const coloured = await demoOnTerminal({ NO_COLOR: "" }), plain = await demoOnTerminal({ NO_COLOR: "1" });
  if (coloured === undefined || plain === undefined) return console.log("skipped: no script(1)");
  assert.ok(coloured.includes("m[hello 1]\x1b[0m "), coloured.slice(0, 200));
  assert.match(plain, /\[hello \d+\]/);
  assert.ok(!plain.includes("\x1b"));
});
