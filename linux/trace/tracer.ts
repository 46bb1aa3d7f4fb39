import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import { signalName } from "../signals/numbers.ts";
import type { SigInfo } from "../signals/state.ts";
import type { CallObserver } from "./observer.ts";
import { formatArguments, formatResult, isOutput } from "./format.ts";
import { hex } from "./report.ts";

const EXECVE = 59;
/** Where results stand, as in strace. */
const COLUMN = 33;

/** `--strace`: one line per call on stderr, written when the call ends; a call that waits is printed in two parts as strace does. */
export class Tracer implements CallObserver {
  readonly #os: Personality;
  readonly #chosen: ReadonlySet<number> | undefined;
  /** Arguments as they were at entry: output arguments are decoded at the end. */
  readonly #open = new Map<number, string[]>();

  /** `chosen`: the calls to print; every one when undefined. */
  constructor(os: Personality, chosen?: ReadonlySet<number>) {
    this.#os = os;
    this.#chosen = chosen;
  }

  enter(t: Thread, number: number): void {
    if (this.#chosen !== undefined && !this.#chosen.has(number)) return;
    const row = this.#os.dispatcher.row(number);
    const name = row?.name ?? `syscall_${number}`;
    this.#open.set(t.tid, [name, ...formatArguments(t, row, false)]);
    // execve and exit_group do not return to the same image: print them at once.
    if (name === "exit_group" || name === "exit") {
      this.#line(t, `${name}(${this.#open.get(t.tid)?.slice(1).join(", ")})`.padEnd(COLUMN) + " = ?");
    }
  }

  leave(t: Thread, number: number, result: number): void {
    const row = this.#os.dispatcher.row(number);
    const begun = this.#open.get(t.tid);
    if (begun === undefined || row?.name === "exit_group" || row?.name === "exit") return;
    this.#open.delete(t.tid);
    const name = begun[0];
    // After execve the old strings are gone, so its arguments are those of the entry.
    const now = row === undefined || name === "execve" ? [] : formatArguments(t, row, result >= 0, result);
    const args = begun.slice(1).map((text, i) =>
      row !== undefined && isOutput(row.args[i]) && now[i] !== undefined ? now[i] : text
    );
    const call = `${name}(${args.join(", ")})`;
    this.#line(t, `${call.padEnd(COLUMN)} = ${formatResult(row, result)}`);
  }

  signal(t: Thread, info: SigInfo): void {
    const name = signalName(info.signal);
    const where = info.fault === undefined ? `si_pid=${info.pid}, si_uid=${info.uid}` : `si_addr=${hex(info.address)}`;
    this.#line(t, `--- ${name} {si_signo=${name}, si_code=${info.code}, ${where}} ---`);
  }

  /** A program that roottask has started: the execve that nobody made. */
  spawned(t: Thread, path: string, argv: readonly string[], variables: number): void {
    if (this.#chosen !== undefined && !this.#chosen.has(EXECVE)) return;
    const args = argv.map((arg) => JSON.stringify(arg)).join(", ");
    this.#line(
      t,
      `execve(${JSON.stringify(path)}, [${args}], 0x${t.process.image.envStart.toString(16)} /* ${variables} vars */) = 0`,
    );
  }

  ended(t: Thread): void {
    this.#open.delete(t.tid);
    if (t.process.threads.length > 0) return;
    const status = t.process.exitStatus;
    const signal = status & 0x7f;
    this.#line(t, signal === 0 ? `+++ exited with ${status >> 8} +++` : `+++ killed by ${signalName(signal)} +++`);
  }

  #line(t: Thread, text: string): void {
    const several = this.#os.processes.size > 1 || t.process.threads.length > 1;
    this.#os.console.print(`${several ? `[pid ${String(t.tid).padStart(5)}] ` : ""}${text}\n`);
  }
}
