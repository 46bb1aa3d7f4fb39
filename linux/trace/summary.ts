import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { CallObserver } from "./observer.ts";

interface Count {
  calls: number;
  errors: number;
  /** From entry to result, waiting included. */
  ns: number;
}

const MAX_ERRNO = 4095;
/** Column widths of `strace -c`. */
const WIDTHS = [6, 11, 11, 9, 9] as const;
const RULE = `${[...WIDTHS, 16].map((width) => "-".repeat(width)).join(" ")}\n`;

/** `--strace-summary`: counts, errors and time of each call, as the table of `strace -c -w`, when the program has ended. */
export class Summary implements CallObserver {
  readonly #os: Personality;
  readonly #chosen: ReadonlySet<number> | undefined;
  readonly #counts = new Map<number, Count>();
  /** When the running call of each thread began. */
  readonly #begun = new Map<number, number>();

  /** `chosen`: the calls to count; every one when undefined. */
  constructor(os: Personality, chosen: ReadonlySet<number> | undefined) {
    this.#os = os;
    this.#chosen = chosen;
  }

  enter(t: Thread, number: number): void {
    if (this.#chosen !== undefined && !this.#chosen.has(number)) return;
    const count = this.#counts.get(number);
    if (count === undefined) this.#counts.set(number, { calls: 1, errors: 0, ns: 0 });
    else count.calls++;
    this.#begun.set(t.tid, this.#os.now());
  }

  leave(t: Thread, number: number, result: number): void {
    const begun = this.#begun.get(t.tid), count = this.#counts.get(number);
    this.#begun.delete(t.tid);
    if (begun === undefined || count === undefined) return;
    count.ns += this.#os.now() - begun;
    if (result < 0 && result >= -MAX_ERRNO) count.errors++;
  }

  ended(t: Thread): void {
    this.#begun.delete(t.tid);
  }

  finished(): void {
    const rows = [...this.#counts].sort(([, a], [, b]) => b.ns - a.ns || b.calls - a.calls);
    const total: Count = { calls: 0, errors: 0, ns: 0 };
    for (const [, { calls, errors, ns }] of rows) total.calls += calls, total.errors += errors, total.ns += ns;
    const name = (number: number): string => this.#os.dispatcher.row(number)?.name ?? `syscall_${number}`;
    this.#os.console.print(
      `${cells(["% time", "seconds", "usecs/call", "calls", "errors"])} syscall\n${RULE}${
        rows.map(([number, count]) => line(name(number), count, total.ns)).join("")
      }${RULE}${line("total", total, total.ns)}`,
    );
    this.#counts.clear();
  }
}

const cells = (texts: readonly string[]): string => texts.map((text, i) => text.padStart(WIDTHS[i])).join(" ");

function line(name: string, { calls, errors, ns }: Count, total: number): string {
  const share = total === 0 ? 0 : 100 * ns / total, each = calls === 0 ? 0 : Math.round(ns / 1000 / calls);
  return `${
    cells([share.toFixed(2), (ns / 1e9).toFixed(6), String(each), String(calls), errors === 0 ? "" : String(errors)])
  } ${name}\n`;
}
