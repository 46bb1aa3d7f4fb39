/**
 * Recorded results of the native judge, for hosts that cannot run it: cases are made again from the seed, and of each result only a hash of
 * what is compared is kept.
 *
 * File (little endian u32): magic "HJV1", seed, cases per row, number of rows; for each row its key, a hash of its cases (tells whether
 * the generator or the table has changed since), and one hash per result (0 = none).
 */
import type { Insn } from "../insn.ts";
import { ROWS } from "../opcodes/mod.ts";
import { canonical, undefinedFlags } from "./compare.ts";
import { hashText, rowCase, rowKey } from "./generate.ts";
import { HedraRunner } from "./hedra.ts";
import { SKIPPED } from "./prepare.ts";
import { type Case, encodeBatch } from "./protocol.ts";
import { quirkOf } from "./quirks.ts";
import type { Judge } from "./run.ts";

const MAGIC = 0x3156_4a48;
const HEAD_WORDS = 4;

interface RowCases {
  cases: Case[];
  insns: Insn[];
  hash: number;
}

/** Rows that can be recorded: judged at all, and without differences that the architecture leaves open. */
const recordable = (index: number): boolean => SKIPPED[ROWS[index].name] === undefined && quirkOf(ROWS[index]) === undefined;

function casesOf(index: number, seed: number, count: number): RowCases {
  const made = Array.from({ length: count }, (_, n) => rowCase(index, seed, n)).filter((m) => m !== undefined);
  const cases = made.map((m) => m.test);
  const batch = encodeBatch(cases);
  let hash = batch.length;
  for (const byte of batch) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return { cases, insns: made.map((m) => m.insn), hash: hash >>> 0 };
}

/** Never 0, which means "no result". */
const resultHash = (text: string): number => hashText(text) || 1;

/** Makes the file's content. */
export async function record(judge: Judge, seed: number, cases: number): Promise<Uint8Array> {
  const words: number[] = [];
  let rows = 0;
  for (let index = 0; index < ROWS.length; index++) {
    if (!recordable(index)) continue;
    const made = casesOf(index, seed, cases);
    if (made.cases.length !== cases) continue;
    const undef = undefinedFlags(ROWS[index]);
    const results = await judge(made.cases);
    words.push(rowKey(ROWS[index]), made.hash, ...results.map((r) => r === undefined ? 0 : resultHash(canonical(r, undef))));
    rows++;
  }
  return new Uint8Array(Uint32Array.from([MAGIC, seed, cases, rows, ...words]).buffer);
}

export interface VectorReport {
  rows: number;
  cases: number;
  /** Rows of today's table that the file does not know, or knows with other cases. */
  stale: string[];
  /** Row and case number of each difference. */
  wrong: string[];
}

/** Runs the recorded cases on Hedra. */
export function checkVectors(file: Uint8Array, baseline: (seed: number) => Uint8Array, heat: number): VectorReport {
  const words = new Uint32Array(file.slice().buffer);
  if (words[0] !== MAGIC) throw new Error("Cannot read judge vectors: unknown version");
  const [, seed, count, rows] = words;
  const known = new Map<number, number>();
  for (let n = 0; n < rows; n++) known.set(words[HEAD_WORDS + n * (2 + count)], HEAD_WORDS + n * (2 + count));
  const runner = new HedraRunner(baseline(seed), heat);
  const report: VectorReport = { rows: 0, cases: 0, stale: [], wrong: [] };
  for (let index = 0; index < ROWS.length; index++) {
    if (!recordable(index)) continue;
    const row = ROWS[index], at = known.get(rowKey(row));
    const made = casesOf(index, seed, count);
    if (at === undefined || words[at + 1] !== made.hash) {
      report.stale.push(`${row.enc} ${row.name}`);
      continue;
    }
    report.rows++;
    const undef = undefinedFlags(row);
    made.cases.forEach((test, n) => {
      const expected = words[at + 2 + n];
      if (expected === 0) return;
      report.cases++;
      if (resultHash(canonical(runner.run(test), undef)) !== expected) report.wrong.push(`${row.enc} ${row.name} ${test.id}`);
    });
  }
  return report;
}
