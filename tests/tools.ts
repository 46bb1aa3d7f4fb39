/** Helpers of the whole-system tests: getting Debian's tools, compiling, comparing a native run with one under Hedra. */
import assert from "node:assert/strict";
import { execute, GUEST_ENV, type Outcome, REPOSITORY, runHedra, type RunOptions, text } from "./process.ts";

/** What the first difference looks like: some text before it, and how either side goes on. Empty when there is none. */
function difference(name: string, hedra: Uint8Array, native: Uint8Array): string {
  let at = 0;
  while (at < hedra.length && hedra[at] === native[at]) at++;
  if (at === hedra.length && at === native.length) return "";
  const from = Math.max(0, at - 40);
  const part = (bytes: Uint8Array) => JSON.stringify(text(bytes.subarray(from, at + 80)));
  return `\n${name} differs at byte ${at} of ${hedra.length} (native ${native.length}):\n  hedra  ${part(hedra)}\n  native ${
    part(native)
  }`;
}

/** Hedra adds one line on stderr when a signal ends the guest; what the guest itself wrote is the rest. */
function withoutReport(outcome: Outcome): Outcome {
  if (outcome.code <= 128) return outcome;
  return { ...outcome, stderr: new TextEncoder().encode(text(outcome.stderr).replace(/^hedra: .*\n/m, "")) };
}

function expectSame(hedra: Outcome, native: Outcome): void {
  const codes = hedra.code === native.code ? "" : `\nexit code ${hedra.code}, native ${native.code}`;
  const found = codes + difference("stdout", hedra.stdout, native.stdout) + difference("stderr", hedra.stderr, native.stderr);
  if (found !== "") assert.fail(`Not the same as native:${found}`);
}

/** Runs the same program with the same input natively and under Hedra; exit code, stdout and stderr must be equal. */
export async function expectSameAsNative(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<void> {
  const native = await execute(program, args, { ...options, env: GUEST_ENV });
  const guest = await runHedra(["run", program, ...args], options);
  expectSame(withoutReport(guest), native);
}

/** Debian packages of the tools that tests use. */
const PACKAGES = {
  "libunicorn2": "libunicorn2",
  "gcc": "gcc libc6-dev",
  "musl-gcc": "musl-tools gcc libc6-dev",
  "busybox": "busybox-static",
  "rustc": "rustc gcc libc6-dev",
} as const;
export type Tool = keyof typeof PACKAGES;

/** A shell command that succeeds when the tool is there; a library has no command of its own. */
function isThere(tool: Tool): string {
  if (tool.startsWith("lib")) return `ldconfig -p | grep -q ${tool.replace(/\d+$/, "")}`;
  // Debian's other busybox needs shared libraries: a program of the host that is run without --root must not.
  if (tool === "busybox") return `{ command -v busybox && ! ldd "$(command -v busybox)" 2>/dev/null | grep -q "=>"; }`;
  return `command -v ${tool}`;
}

/**
 * Is the tool there? On Debian as root it is installed when it is not; one installation runs at a time. When it cannot be had the caller
 * skips, and says so.
 */
export async function have(tool: Tool): Promise<boolean> {
  const present = () => execute("sh", ["-c", `${isThere(tool)}`]).then((result) => result.code === 0);
  if (await present()) return true;
  const install = `${isThere(tool)} || { apt-get -qq update; apt-get -qq install -y --no-install-recommends ${PACKAGES[tool]}; }`;
  await execute("flock", ["/tmp/hedra-tests-apt.lock", "sh", "-c", install], {
    env: { ...Deno.env.toObject(), DEBIAN_FRONTEND: "noninteractive" },
  })
    .catch(() => undefined);
  if (await present()) return true;
  console.error(`Cannot install ${PACKAGES[tool]}: tests that need ${tool} are skipped`);
  return false;
}

/** Only there can guests run natively. */
const canCompare = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** A test that needs tools, and x86-64 Linux to run guests natively: without them it is skipped with a line that says why. */
export function testWith(tools: readonly Tool[], name: string, body: () => Promise<void>): void {
  Deno.test(name, async () => {
    if (!canCompare) return console.log(`skipped: "${name}" needs x86-64 Linux`);
    for (const tool of tools) if (!(await have(tool))) return console.log(`skipped: "${name}" needs ${tool}`);
    await body();
  });
}

let made: string | undefined;
/** A directory for this test file's build products, removed at the end of the process. */
export function workDirectory(): string {
  if (made === undefined) {
    const path = made = Deno.makeTempDirSync({ prefix: "hedra-test-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(path, { recursive: true }));
  }
  return made;
}

const compilers: Record<"gcc" | "musl-gcc" | "rustc", readonly string[]> = {
  "gcc": ["-O2", "-static", "-w"],
  "musl-gcc": ["-O2", "-static", "-w"],
  "rustc": ["-O", "-C", "target-feature=+crt-static", "-C", "relocation-model=static"],
};

/** Compiles one file of tests/programs to a static program; gives its path. */
export async function compile(
  source: string,
  tool: "gcc" | "musl-gcc" | "rustc",
  flags: readonly string[] = [],
): Promise<string> {
  const output = `${workDirectory()}/${source.replace(/\.\w+$/, "")}-${tool}`;
  const libraries = tool === "rustc" ? [] : ["-lm"];
  const result = await execute(tool, [
    ...compilers[tool],
    ...flags,
    `${REPOSITORY}tests/programs/${source}`,
    "-o",
    output,
    ...libraries,
  ]);
  assert.equal(result.code, 0, text(result.stderr));
  return output;
}
