import { type Coroutine, MTD } from "../../hedron/api.ts";
import { VEC } from "../../cpu/layout.ts";
import { E } from "../abi/errno.ts";
import type { Personality } from "../personality.ts";
import type { Handler, SyscallRow } from "../syscalls/row.ts";
import { noteMissing } from "../trace/missing.ts";
import { ID_RECALL, ID_STARTUP } from "./slot.ts";
import { RAX, Reply, type Thread } from "./thread.ts";
import type { Blocking } from "./wait.ts";

/** What a foreign call's reply always changes (ABI 8.4): RIP, RSP and RFLAGS are stale, RAX is the result, R11 what SYSRET takes RFLAGS from. */
const REPLY = MTD.ACDB | MTD.RIP | MTD.RSP | MTD.RFLAGS | MTD.R8_R15;
/** After a signal or execve everything may be new. */
export const REPLY_ALL = MTD.ACDB | MTD.BSD | MTD.RSP | MTD.RIP | MTD.RFLAGS | MTD.R8_R15;

/** Entry points of all threads: system calls and exceptions. */
export class Dispatcher {
  readonly #os: Personality;
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #rows: (SyscallRow | undefined)[] = [];
  /** Calls of each unimplemented number, for the report at the end. */
  readonly missing = new Map<number, number>();

  constructor(os: Personality, rows: readonly SyscallRow[]) {
    this.#os = os;
    for (const row of rows) {
      this.#rows[row.number] = row;
      this.#handlers[row.number] = row.handler;
    }
  }

  row(number: number): SyscallRow | undefined {
    return this.#rows[number];
  }

  /** A foreign system call of `t`. Numbers are the low 32 bits of RAX, as in do_syscall_64(). */
  systemCall(t: Thread): void | Coroutine {
    const { state } = t;
    const number = state.lo(RAX);
    t.inKernel = true;
    t.call = number;
    const handler = this.#handlers[number];
    this.#os.tracer?.enter(t, number);
    const result = handler === undefined ? this.#unimplemented(t, number) : handler(t);
    if (typeof result !== "number") return this.#waiting(t, result);
    this.#os.tracer?.leave(t, number, result);
    if (result === -E.EFAULT && t.process.mm.starved) this.#os.signals.outOfMemory(t);
    if (t.attention || result <= -E.ERESTARTSYS && result >= -E.ERESTART_RESTARTBLOCK) return this.#slow(t, number, result);
    // The groups first: a register that is written before its group is selected would be kept for putting it back.
    state.mtd |= REPLY;
    state.set(RAX, result);
    state.sysret();
    t.inKernel = false;
  }

  *#waiting(t: Thread, blocking: Blocking): Coroutine {
    const { call } = t;
    const result = yield* blocking;
    this.#os.enter(t.host);
    this.#os.tracer?.leave(t, call, result);
    if (result === -E.EFAULT && t.process.mm.starved) this.#os.signals.outOfMemory(t);
    yield* this.#finish(t, call, result);
  }

  #slow(t: Thread, number: number, result: number): void | Coroutine {
    return this.#finish(t, number, result);
  }

  /** Result in place, then signals, stops and the end of the thread. */
  *#finish(t: Thread, number: number, result: number): Coroutine {
    if (t.reply === Reply.Gone) return;
    const { state } = t;
    const own = t.reply === Reply.Own;
    t.reply = Reply.Normal;
    state.mtd |= REPLY_ALL;
    if (!own) {
      state.set(RAX, result);
      state.sysret();
    }
    yield* this.#os.signals.beforeReturn(t, own ? -1 : number, own ? 0 : result);
    t.inKernel = false;
  }

  #unimplemented(t: Thread, number: number): number {
    const row = this.#rows[number];
    // A number that no kernel knows is no lack of ours.
    if (row === undefined) return -E.ENOSYS;
    if (row.support.level === "none" && !row.support.counted) return -row.support.errno;
    this.missing.set(number, (this.missing.get(number) ?? 0) + 1);
    noteMissing(this.#os, t, number);
    return -E.ENOSYS;
  }

  /** An exception, startup or recall message of `t`. */
  exception(t: Thread, id: number): void | Coroutine {
    t.inKernel = true;
    t.call = -1;
    if (id === ID_STARTUP) {
      // After execve into a new protection domain this is the new EC of an old thread.
      t.reply = Reply.Normal;
      const { start } = t;
      t.start = undefined;
      start?.(t);
    } else if (id === VEC.PF) {
      if (this.#os.signals.pageFault(t)) {
        t.inKernel = false;
        return;
      }
    } else if (id !== ID_RECALL) {
      this.#os.signals.trap(t, id);
    }
    if (!t.attention) {
      t.inKernel = false;
      return;
    }
    return this.#afterException(t);
  }

  *#afterException(t: Thread): Coroutine {
    t.state.mtd |= REPLY_ALL;
    yield* this.#os.signals.beforeReturn(t, -1, 0);
    t.inKernel = false;
  }
}
