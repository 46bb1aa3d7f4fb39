/** Judges rows of the opcode table: makes cases, runs them on two processors, collects what differs. */
import type { Insn } from "../insn.ts";
import { disassemble } from "../disasm.ts";
import { ROWS } from "../opcodes/mod.ts";
import { decode } from "../decode.ts";
import { AF } from "../layout.ts";
import { difference, stateText, type Strictness, undefinedFlags } from "./compare.ts";
import { rowCase } from "./generate.ts";
import { HedraRunner } from "./hedra.ts";
import { SKIPPED } from "./prepare.ts";
import { type Quirk, quirkOf } from "./quirks.ts";
import { AREAS, type Case, type Result } from "./protocol.ts";
import { type Sequence, sequenceCase, without } from "./sequence.ts";

/** Results of the real processor, in the order of the cases; undefined where a case cannot be run. */
export type Judge = (cases: readonly Case[]) => Promise<(Result | undefined)[]>;

export interface JudgeOptions extends Strictness {
  seed: number;
  /** Per row, starting at `first`. */
  cases: number;
  first: number;
  baseline: Uint8Array;
  /** Cases with all floating-point modes, not only the default ones. */
  modes?: boolean;
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

/** Hedra's side: a processor that is replaced after a bug of ours, because its state is unknown then. */
export class Subject {
  #runner: HedraRunner;

  constructor(private readonly options: JudgeOptions) {
    this.#runner = new HedraRunner(options.baseline, options.heat, options.sticky);
  }
  differs(test: Case, native: Result, undef: number, quirk?: Quirk): string | undefined {
    const ours = this.run(test);
    return typeof ours === "string" ? ours : this.compare(ours, native, undef, quirk);
  }
  /** Hedra's result, or what it threw. */
  run(test: Case): Result | string {
    try {
      return this.#runner.run(test);
    } catch (error) {
      this.#runner = new HedraRunner(this.options.baseline, this.options.heat, this.options.sticky);
      return error instanceof Error ? `throws ${error.stack?.split("\n").slice(0, 4).join(" ")}` : String(error);
    }
  }
  compare(ours: Result, native: Result, undef: number, quirk?: Quirk): string | undefined {
    const first = difference(ours, native, undef, this.options);
    if (first === undefined || quirk === undefined) return first;
    quirk.forgive(ours, native);
    return difference(ours, native, undef, this.options);
  }
}

export class RowJudge {
  readonly #subject: Subject;

  constructor(private readonly judge: Judge, private readonly options: JudgeOptions) {
    this.#subject = new Subject(options);
  }

  async row(index: number): Promise<RowReport> {
    const { seed, cases, first } = this.options;
    const report: RowReport = { row: index, cases: 0, failed: 0, failures: [] };
    const reason = SKIPPED[ROWS[index].name];
    if (reason !== undefined) return { ...report, skipped: reason };
    const prepared: Prepared[] = [];
    for (let n = 0; n < cases; n++) {
      const made = rowCase(index, seed, first + n, this.options.modes);
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
    const wrong = this.#subject.differs(test, native, undefinedFlags(insn.row), quirkOf(insn.row));
    if (wrong === undefined) return;
    report.failed++;
    if (report.failures.length >= KEEP) return;
    report.failures.push({
      id: test.id,
      text: listing(test, insn.pc, insn.length),
      difference: wrong,
      state: stateText(test, insn),
    });
  }
}

/** Address of the first byte of a case's code. */
function codeStart(c: Case): number {
  const area = AREAS.find((a) => c.codeOffset >= a.first && c.codeOffset < a.first + a.bytes)!; // every case lies in one
  return area.address + c.codeOffset - area.first;
}

/** Bytes and disassembly of the instruction at `pc`. */
export function listing(test: Case, pc: number, length: number): string {
  const at = pc - codeStart(test);
  const bytes = Array.from(test.code.subarray(at, at + length), (b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${pc.toString(16)}: ${bytes.padEnd(30)} ${disassemble(decode(test.code, at, Math.min(15, test.code.length - at), pc))}`;
}

function sequenceListing(s: Sequence): string {
  const lines: string[] = [];
  const start = codeStart(s.test);
  for (let pc = s.test.entry; pc < start + s.test.code.length;) {
    const at = pc - start;
    const { length } = decode(s.test.code, at, s.test.code.length - at, pc);
    if (s.test.code[at] !== 0x90) lines.push(listing(s.test, pc, length));
    pc += Math.max(1, length);
  }
  return lines.join("\n     ");
}

export interface SequenceReport {
  cases: number;
  /** Instructions in all of them. */
  instructions: number;
  failed: number;
  failures: Failure[];
}

export class SequenceJudge {
  readonly #subject: Subject;

  /** A second judge for translated code. */
  readonly #interpreter: HedraRunner | undefined;

  constructor(private readonly judge: Judge, private readonly options: JudgeOptions) {
    this.#subject = new Subject(options);
    if (options.heat !== Infinity) this.#interpreter = new HedraRunner(options.baseline, Infinity, options.sticky);
  }

  /** Runs `cases` sequences from `first` on; the first failures are shrunk to what is needed to show them. */
  async run(): Promise<SequenceReport> {
    const report: SequenceReport = { cases: 0, instructions: 0, failed: 0, failures: [] };
    const batch = 500;
    for (let done = 0; done < this.options.cases; done += batch) {
      const count = Math.min(batch, this.options.cases - done);
      const sequences = Array.from(
        { length: count },
        (_, n) => sequenceCase(this.options.seed, this.options.first + done + n),
      );
      const native = await this.judge(sequences.map((s) => s.test));
      for (let n = 0; n < count; n++) {
        const result = native[n];
        if (result !== undefined) await this.#one(sequences[n], result, report);
      }
    }
    return report;
  }

  /**
   * All flags count, even those that only the handler of the exception at the end can see; with AF, which most instructions leave undefined, only
   * the interpreter's are compared.
   */
  #differs(s: Sequence, native: Result): string | undefined {
    const wrong = this.#subject.differs(s.test, native, AF);
    if (wrong !== undefined || this.#interpreter === undefined) return wrong;
    const other = this.#subject.differs(s.test, this.#interpreter.run(s.test), 0);
    return other && `not as interpreted: ${other}`;
  }

  async #one(s: Sequence, native: Result, report: SequenceReport): Promise<void> {
    report.cases++;
    report.instructions += s.pieces.length;
    if (this.#differs(s, native) === undefined) return;
    report.failed++;
    if (report.failures.length >= KEEP) return;
    const { sequence, wrong } = await this.#shrink(s, native);
    report.failures.push({
      id: s.test.id,
      text: sequenceListing(sequence),
      difference: wrong,
      state: stateText(s.test, undefined),
    });
  }

  /** Leaves out every instruction without which it still fails. */
  async #shrink(s: Sequence, native: Result): Promise<{ sequence: Sequence; wrong: string }> {
    let sequence = s;
    let wrong = this.#differs(s, native) ?? "differs only at first";
    for (let before = -1; before !== sequence.pieces.length;) {
      before = sequence.pieces.length;
      for (let n = before - 1; n >= 0; n--) {
        if (!sequence.pieces[n].removable) continue;
        const smaller = without(sequence, n);
        const [result] = await this.judge([smaller.test]);
        const still = result && this.#differs(smaller, result);
        if (still !== undefined) [sequence, wrong] = [smaller, still];
      }
    }
    return { sequence, wrong };
  }
}
