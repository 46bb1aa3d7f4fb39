/** Judges random byte strings: exception or not, length, and the state that the first instruction leaves. */
import { decode } from "../decode.ts";
import type { Insn, InvalidInsn } from "../insn.ts";
import { VEC } from "../layout.ts";
import { stateText, undefinedFlags } from "./compare.ts";
import { fetched, stringCase } from "./byte_string.ts";
import { dependsOnVendor, notOffered, opcodeText } from "./not_offered.ts";
import { SKIPPED } from "./prepare.ts";
import type { Case, Result } from "./protocol.ts";
import { quirkOf } from "./quirks.ts";
import { type Failure, type Judge, type JudgeOptions, listing, Subject } from "./run.ts";

export interface StringReport {
  cases: number;
  /** Of these: instructions that both have executed or that both let fault; #UD in both; families that CPUID does not offer. */
  executed: number;
  invalid: number;
  notOffered: number;
  /** Not compared, because Hedra follows another vendor. */
  vendors: number;
  failed: number;
  /** How many differ, and the first of them, by instruction. */
  differing: Map<string, number>;
  failures: Failure[];
}

const BATCH = 5000;
/** Failures kept per instruction. */
const KEEP = 2;

export class StringJudge {
  readonly #subject: Subject;

  constructor(private readonly judge: Judge, private readonly options: JudgeOptions) {
    this.#subject = new Subject(options);
  }

  async run(): Promise<StringReport> {
    const { seed, cases, first, heat } = this.options;
    const report: StringReport = {
      cases: 0,
      executed: 0,
      invalid: 0,
      notOffered: 0,
      vendors: 0,
      failed: 0,
      differing: new Map(),
      failures: [],
    };
    for (let done = 0; done < cases; done += BATCH) {
      const strings = Array.from(
        { length: Math.min(BATCH, cases - done) },
        (_, n) => stringCase(seed, first + done + n, heat === Infinity),
      ).filter((s) => s !== undefined);
      const native = await this.judge(strings);
      strings.forEach((s, n) => {
        const result = native[n];
        if (result !== undefined) this.#one(s, result, report);
      });
    }
    return report;
  }

  #one(test: Case, native: Result, report: StringReport): void {
    report.cases++;
    const code = fetched(test), insn = decode(code, 0, code.length, test.entry);
    const other = "invalid" in insn || insn.row.fault === "ud" ? notOffered(code) : undefined;
    if (other !== undefined) report.notOffered++;
    else if (dependsOnVendor(code)) {
      report.vendors++;
      return;
    } else if (native.vector === VEC.UD) report.invalid++;
    else report.executed++;
    const ours = this.#subject.run(test);
    const wrong = typeof ours === "string" ? ours : this.#differs(insn, ours, native, other !== undefined);
    if (wrong === undefined) return;
    report.failed++;
    const name = "invalid" in insn ? `(${insn.invalid}) ${opcodeText(code)}` : insn.name, known = report.differing.get(name) ?? 0;
    report.differing.set(name, known + 1);
    if (known >= KEEP) return;
    report.failures.push({
      id: test.id,
      text: listing(test, test.entry, Math.max(1, insn.length)),
      difference: wrong,
      state: stateText(test, "invalid" in insn ? undefined : insn),
    });
  }

  #differs(insn: Insn | InvalidInsn, ours: Result, native: Result, isOther: boolean): string | undefined {
    if (isOther) return isRefused(ours) ? undefined : `is not offered, but ends in exception ${ours.vector}`;
    if ("invalid" in insn) return this.#subject.compare(ours, native, 0);
    if (SKIPPED[insn.name] === undefined) return this.#subject.compare(ours, native, undefinedFlags(insn.row), quirkOf(insn.row));
    if (HOST_KERNEL.has(insn.name)) return undefined;
    // What such an instruction does is not comparable, that it exists and how long it is, are.
    if ((ours.vector === VEC.UD) !== (native.vector === VEC.UD)) return `exception ${ours.vector}, native ${native.vector}`;
    if (ours.vector !== VEC.DB || native.vector !== VEC.DB || ours.rip === native.rip) return undefined;
    return `RIP ${ours.rip.toString(16)}, native ${native.rip.toString(16)}`;
  }
}

/** The host's kernel emulates or reports them. */
const HOST_KERNEL = new Set(["int1", "sldt", "str", "sgdt", "sidt", "smsw"]);

/** No instruction: #UD, or a fetch beyond the mapped area or of more than 15 bytes. */
const isRefused = (r: Result): boolean =>
  r.vector === VEC.UD || r.vector === VEC.GP || (r.vector === VEC.PF && (r.error & 16) !== 0);
