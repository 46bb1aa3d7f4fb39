/**
 * x87 helpers against the host's FPU (testdata/x87_native.c), bit by bit including flags, tags and stack; elsewhere against digests recorded
 * from it. `deno run -A cpu/helpers/x87_native_test.ts` records them anew.
 */
import assert from "node:assert/strict";
import { testWith, workDirectory } from "../../tests/tools.ts";
import { X87_ROWS } from "../opcodes/x87.ts";
import { CpuRunner } from "./x87_cpu_runner.ts";
import { type Case, comparable, FlatContext, IN_BYTES, makeCase, OUT_BYTES, Random, runCase } from "./x87_cases.ts";

/** The harness's own instructions, and those whose image does not fit its memory operand. */
const rows = X87_ROWS.filter((row) => !row.enc.startsWith("NP"));
const HARNESS = new URL("testdata/x87_native.c", import.meta.url).pathname;
const DIGESTS = new URL("testdata/x87_digests.txt", import.meta.url);
const title = ({ row }: Case): string => `${row.enc} ${row.name} ${row.args}`.trim();

function makeCases(seed: number, perRow: number, unmask: boolean): Case[] {
  const random = new Random(seed);
  return rows.flatMap((row) => Array.from({ length: perRow }, () => makeCase(random, row, unmask)));
}

async function runNative(cases: Case[]): Promise<Uint8Array[]> {
  const program = `${workDirectory()}/x87_native`;
  const built = await new Deno.Command("gcc", { args: ["-O1", "-o", program, HARNESS] }).output();
  assert.ok(built.success, new TextDecoder().decode(built.stderr));
  const input = new Uint8Array(cases.length * IN_BYTES);
  cases.forEach((c, n) => input.set(c.input, n * IN_BYTES));
  const child = new Deno.Command(program, { stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(input).then(() => writer.close());
  const [{ stdout }] = await Promise.all([child.output(), written]);
  assert.equal(stdout.length, cases.length * OUT_BYTES);
  return cases.map((_, n) => comparable(stdout.subarray(n * OUT_BYTES, (n + 1) * OUT_BYTES)));
}

const hex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
/** What an x87 image and operand say, for messages. */
function describe(record: Uint8Array): string {
  const v = new DataView(record.buffer, record.byteOffset);
  const st = Array.from(
    { length: 8 },
    (_, n) => `${v.getUint16(40 + 16 * n, true).toString(16)}:${v.getBigUint64(32 + 16 * n, true).toString(16)}`,
  );
  return `cw ${v.getUint16(0, true).toString(16)} sw ${v.getUint16(2, true).toString(16)} tags ${record[4].toString(16)} ` +
    `memory ${hex(record.subarray(512, 528))} tail ${hex(record.subarray(640))} st ${st.join(" ")}`;
}

/** Approximate rows: ST(0) and ST(1) may differ by one in the last place, and so may C1 (which says how they were rounded). */
function forgiveLastPlace(got: Uint8Array, want: Uint8Array): void {
  const g = new DataView(got.buffer), w = new DataView(want.buffer);
  for (const at of [32, 48]) {
    const value = (v: DataView) => (BigInt(v.getUint16(at + 8, true)) << 63n) + (v.getBigUint64(at, true) & ((1n << 63n) - 1n));
    const distance = value(g) - value(w);
    if (distance >= -1n && distance <= 1n) got.set(want.subarray(at, at + 10), at);
  }
  got[3] = (got[3] & ~2) | (want[3] & 2);
}

type Runner = (c: Case) => Uint8Array;
const byHelpers = (): Runner => {
  const context = new FlatContext();
  return (c) => runCase(context, c);
};
const byCpu = (heat: number): Runner => {
  const cpu = new CpuRunner(heat);
  return (c) => cpu.run(c);
};

async function expectSameAsProcessor(run: Runner, seed: number, perRow: number, unmask: boolean): Promise<void> {
  const cases = makeCases(seed, perRow, unmask), native = await runNative(cases);
  const different: string[] = [];
  cases.forEach((c, n) => {
    const got = comparable(run(c)), want = native[n];
    if (c.row.approximate) forgiveLastPlace(got, want);
    if (hex(got) !== hex(want)) {
      different.push(`${title(c)}\n  in   ${describe(c.input)}\n  got  ${describe(got)}\n  want ${describe(want)}`);
    }
  });
  assert.equal(different.length, 0, `${different.length} of ${cases.length} differ:\n${different.slice(0, 5).join("\n")}`);
}

testWith(
  ["gcc"],
  "x87 helpers with masked exceptions give the processor's results, flags, tags and stack",
  () => expectSameAsProcessor(byHelpers(), 20261124, 300, false),
);
testWith(
  ["gcc"],
  "x87 helpers with unmasked exceptions leave the state that the processor leaves",
  () => expectSameAsProcessor(byHelpers(), 314159, 150, true),
);
testWith(
  ["gcc"],
  "x87 instructions on the interpreter, fast paths included, give the processor's results",
  () => expectSameAsProcessor(byCpu(Infinity), 577215, 100, false),
);
testWith(
  ["gcc"],
  "x87 instructions on the interpreter with unmasked exceptions leave what the processor leaves",
  () => expectSameAsProcessor(byCpu(Infinity), 693147, 20, true),
);

/** FNV-1a. */
function digest(...parts: Uint8Array[]): string {
  let h = 0x811c_9dc5;
  for (const part of parts) for (const b of part) h = Math.imul(h ^ b, 0x0100_0193);
  return (h >>> 0).toString(16).padStart(8, "0");
}

/** One line per row: its title, then a digest of each case's input and result. Approximate rows are left out. */
function digests(cases: Case[], results: Uint8Array[]): string {
  const lines = new Map<string, string[]>();
  cases.forEach((c, n) => {
    if (!c.row.approximate) lines.set(title(c), [...(lines.get(title(c)) ?? []), digest(c.input, results[n])]);
  });
  return [...lines].map(([name, list]) => `${name}: ${list.join(" ")}\n`).join("");
}
const recordedCases = () => [...makeCases(271828, 12, false), ...makeCases(161803, 4, true)];

Deno.test("x87 instructions give the results that were recorded on a processor", async () => {
  const cases = recordedCases(), context = new FlatContext();
  const got = digests(cases, cases.map((c) => comparable(runCase(context, c))));
  assert.deepEqual(got.split("\n"), (await Deno.readTextFile(DIGESTS)).split("\n"));
});

if (import.meta.main) {
  const cases = recordedCases();
  await Deno.writeTextFile(DIGESTS, digests(cases, await runNative(cases)));
}
