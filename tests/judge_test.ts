/** A seeded slice of the native judge: every opcode row and random sequences against the host's processor, or against recorded results. */
import assert from "node:assert/strict";
import { baseline } from "../cpu/judge/generate.ts";
import { Native, nativeAvailable, runSafely } from "../cpu/judge/native.ts";
import { IMAGE_BYTES } from "../cpu/judge/protocol.ts";
import { type JudgeOptions, RowJudge, type RowReport, rowText, SequenceJudge } from "../cpu/judge/run.ts";
import { StringJudge } from "../cpu/judge/strings.ts";
import { checkVectors } from "../cpu/judge/vectors.ts";
import { ROWS } from "../cpu/opcodes/mod.ts";

const SEED = 20;
const image = baseline(SEED, IMAGE_BYTES);
const available = await nativeAvailable();
const VECTORS = new URL("./testdata/judge_vectors.bin", import.meta.url);

/** Interpreter only; translation of everything. */
const TIERS = { interpreter: Infinity, translator: 1 };

const options = (cases: number, heat: number): JudgeOptions => ({
  seed: SEED,
  cases,
  first: 0,
  baseline: image,
  heat,
  sticky: false,
});

async function withNative<T>(use: (judge: ConstructorParameters<typeof RowJudge>[0]) => Promise<T>): Promise<T> {
  const native = await Native.start(image);
  try {
    return await use((cases) => runSafely(cases, image, native));
  } finally {
    await native.stop();
  }
}

const failuresOf = (reports: RowReport[]): string[] =>
  reports.flatMap((r) => r.failures.map((f) => `${rowText(r.row)}\n  ${f.text}\n  ${f.difference}\n  ${f.id}`));

Deno.test({
  name: "every opcode row computes what the host's processor computes",
  ignore: !available,
  async fn() {
    const reports = await withNative(async (judge) => {
      const rows = new RowJudge(judge, options(30, TIERS.interpreter));
      const all: RowReport[] = [];
      for (let row = 0; row < ROWS.length; row++) all.push(await rows.row(row));
      return all;
    });
    const judged = reports.filter((r) => r.skipped === undefined);
    console.log(`${judged.length} of ${ROWS.length} rows judged with ${judged.reduce((sum, r) => sum + r.cases, 0)} cases`);
    assert.deepEqual(failuresOf(reports), []);
    assert.deepEqual(judged.filter((r) => r.cases === 0).map((r) => rowText(r.row)), [], "rows without a single case");
  },
});

for (const [tier, heat] of Object.entries(TIERS)) {
  Deno.test({
    name: `random sequences with branches, calls and loops end as on the host's processor (${tier})`,
    ignore: !available,
    async fn() {
      const report = await withNative((judge) => new SequenceJudge(judge, options(heat === Infinity ? 2000 : 300, heat)).run());
      console.log(`${report.cases} sequences with ${report.instructions} instructions`);
      assert.deepEqual(report.failures, []);
    },
  });
}

for (const [tier, heat] of Object.entries(TIERS)) {
  Deno.test({
    name: `random byte strings are the same instructions, or none, as on the host's processor (${tier})`,
    ignore: !available,
    async fn() {
      const strings = options(heat === Infinity ? 6000 : 600, heat);
      const report = await withNative((judge) => new StringJudge(judge, strings).run());
      console.log(`${report.executed} instructions, ${report.invalid} #UD, ${report.notOffered} not offered by CPUID`);
      assert.deepEqual(report.failures, []);
      assert.ok(report.executed > 300 && report.invalid > 150, "too few strings of a kind");
    },
  });
}

Deno.test("every opcode row computes what was recorded on a real processor", async () => {
  const report = checkVectors(await Deno.readFile(VECTORS), (seed) => baseline(seed, IMAGE_BYTES), Infinity);
  console.log(
    `${report.rows} rows with ${report.cases} recorded cases; ${report.stale.length} rows are newer than the recording`,
  );
  assert.deepEqual(report.wrong, []);
  const again = "record anew: deno run -A cpu/judge/main.ts --seed 20 --cases 25 --record tests/testdata/judge_vectors.bin";
  assert.ok(report.stale.length < report.rows / 10, again);
});
