/** Judges rows of the opcode table: makes cases, runs them on two processors, collects what differs. */
import type { Insn } from "../insn.ts";
import { disassemble } from "../disasm.ts";
import { ROWS } from "../opcodes/mod.ts";
import { difference, stateText, type Strictness, undefinedFlags } from "./compare.ts";
import { rowCase } from "./generate.ts";
import { HedraRunner } from "./hedra.ts";
import { SKIPPED } from "./prepare.ts";
import type { Case, Result } from "./protocol.ts";

/** Results of the real processor, in the order of the cases; undefined where a case cannot be run. */
export type Judge = (cases: readonly Case[]) => Promise<(Result | undefined)[]>;

export interface JudgeOptions extends Strictness {
  seed: number;
  /** Indices into ROWS. */
  rows: readonly number[];
  /** Per row, starting at `first`. */
  cases: number;
  first: number;
  baseline: Uint8Array;
  /** Executions before translation, see HedraRunner. */
  heat: number;
}

export interface Failure {
  id: string;
  text: string;
  difference: string;
  state: string;
}

export interface RowReport {
  row: number;
  /** Compared cases, and the first differences. */
  cases: number;
  failed: number;
  failures: Failure[];
  /** Why the row was not judged. */
  skipped?: string;
}

/** Failures kept per row. */
const KEEP = 3;

interface Prepared {
  test: Case;
  insn: Insn;
}

export const rowText = (index: number): string => `${index}: ${ROWS[index].enc} ${ROWS[index].name} ${ROWS[index].args}`.trim();

export class RowJudge {
  #runner: HedraRunner;

  constructor(private readonly judge: Judge, private readonly options: JudgeOptions) {
    this.#runner = new HedraRunner(options.baseline, options.heat);
  }

  async row(index: number): Promise<RowReport> {
    const { seed, cases, first } = this.options;
    const report: RowReport = { row: index, cases: 0, failed: 0, failures: [] };
    const reason = SKIPPED[ROWS[index].name];
    if (reason !== undefined) return { ...report, skipped: reason };
    const prepared: Prepared[] = [];
    for (let n = 0; n < cases; n++) {
      const made = rowCase(index, seed, first + n);
      if (made !== undefined) prepared.push(made);
    }
    if (prepared.length === 0) return { ...report, skipped: "no encoding found" };
    const native = await this.judge(prepared.map((p) => p.test));
    prepared.forEach((p, n) => this.#one(p, native[n], report));
    return report;
  }

  #one({ test, insn }: Prepared, native: Result | undefined, report: RowReport): void {
    if (native === undefined) return;
    report.cases++;
    const wrong = this.#differs(test, insn, native);
    if (wrong === undefined) return;
    report.failed++;
    if (report.failures.length >= KEEP) return;
    const code = Array.from(
      test.code.subarray(test.entry - test.codeOffset).subarray(0, insn.length),
      (b) => b.toString(16).padStart(2, "0"),
    );
    report.failures.push({
      id: test.id,
      text: `${code.join(" ")}  ${disassemble(insn)}`,
      difference: wrong,
      state: stateText(test, insn),
    });
  }

  #differs(test: Case, insn: Insn, native: Result): string | undefined {
    try {
      return difference(this.#runner.run(test), native, undefinedFlags(insn.row), this.options);
    } catch (error) {
      // The processor's state is unknown after a bug of ours: start with a new one.
      this.#runner = new HedraRunner(this.options.baseline, this.options.heat);
      return error instanceof Error ? `throws ${error.stack?.split("\n").slice(0, 3).join(" ")}` : String(error);
    }
  }
}
