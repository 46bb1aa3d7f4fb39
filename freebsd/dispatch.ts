import { type Coroutine, MTD } from "../hedron/api.ts";
import { CF, VEC } from "../cpu/layout.ts";
import { ID_RECALL, ID_STARTUP } from "../linux/process/slot.ts";
import type { Blocking } from "../linux/process/wait.ts";
import { E } from "./abi/errno.ts";
import type { FreeBsd } from "./personality.ts";
import type { SyscallRow } from "./syscalls/row.ts";
import { R11, RAX, RCX, RDI, type Thread } from "./thread.ts";

/** What a call's reply always changes: RAX is result or errno, RFLAGS tells which; RIP and RSP are stale. */
const REPLY = MTD.ACDB | MTD.RIP | MTD.RSP | MTD.RFLAGS;
export const REPLY_ALL = REPLY | MTD.BSD | MTD.R8_R15;
/** `syscall` and `__syscall`: the number is the first argument (sys/kern/syscalls.master). */
const INDIRECT = new Set([0, 198]);

/** Entry points of all threads: system calls and exceptions. */
export class Dispatcher {
  readonly #rows: (SyscallRow | undefined)[] = [];

  constructor(private readonly os: FreeBsd, rows: readonly SyscallRow[]) {
    for (const row of rows) this.#rows[row.number] = row;
  }

  systemCall(t: Thread): void | Coroutine {
    const { state } = t;
    let number = state.lo(RAX);
    t.shift = INDIRECT.has(number) ? 1 : 0;
    if (t.shift === 1) number = state.lo(RDI);
    t.inKernel = true;
    const row = this.#rows[number];
    const result = row === undefined ? this.#missing(number) : row.handler(t);
    if (typeof result !== "number") return this.#waiting(t, number, result);
    this.#trace(t, number, result);
    if (t.attention || result === -E.ERESTART) return this.#finish(t, number, result);
    this.#reply(t, result);
    t.inKernel = false;
  }

  /** Results from -4095 to -1 are errors: the carry flag is set and RAX is the positive number (cpu_set_syscall_retval). */
  #reply(t: Thread, result: number): void {
    const { state } = t, failed = result < 0 && result >= -4095;
    state.mtd |= REPLY;
    state.set(RAX, failed ? -result : result);
    state.rip = state.num(RCX);
    state.rsp = state.num(R11);
    state.rflags = failed ? state.callFlags | CF : state.callFlags & ~CF;
  }

  *#waiting(t: Thread, number: number, blocking: Blocking): Coroutine {
    const result = yield* blocking;
    this.os.enter(t.host);
    this.#trace(t, number, result);
    yield* this.#finish(t, number, result);
  }

  /** Result in place, then signals and the end of the thread. */
  *#finish(t: Thread, number: number, result: number): Coroutine {
    if (t.gone) return;
    if (t.replaced) {
      t.replaced = t.attention = t.inKernel = false;
      return;
    }
    t.state.mtd |= REPLY_ALL;
    const own = t.ownReply;
    t.ownReply = false;
    if (!own) this.#reply(t, result === -E.ERESTART ? -E.EINTR : result);
    this.os.signals.beforeReturn(t, !own && result === -E.ERESTART ? number : -1);
    t.inKernel = false;
    yield* [];
  }

  #missing(number: number): number {
    if (this.os.options.verbose) this.os.warn(`FreeBSD system call ${number} is not implemented`);
    return -E.ENOSYS;
  }

  #trace(t: Thread, number: number, result: number): void {
    if (!this.os.options.strace) return;
    const row = this.#rows[number];
    const args = Array.from({ length: row?.args ?? 6 }, (_, i) => `0x${Math.max(0, t.arg(i)).toString(16)}`);
    const name = Object.entries(E).find(([, value]) => value === -result)?.[0];
    const shown = result < 0 && result >= -4095 ? name ?? String(result) : `0x${result.toString(16)}`;
    this.os.warn(`[${t.tid}] ${row?.name ?? number}(${args.join(", ")}) = ${shown}`);
  }

  /** An exception, startup or recall message of `t`. */
  exception(t: Thread, id: number): void {
    t.inKernel = true;
    if (id === ID_STARTUP) {
      const { start } = t;
      t.start = undefined;
      start?.(t);
    } else if (id === VEC.PF) {
      if (this.os.signals.pageFault(t)) {
        t.inKernel = false;
        return;
      }
    } else if (id !== ID_RECALL) {
      this.os.signals.trap(t, id);
    }
    if (t.attention) {
      t.state.mtd |= REPLY_ALL;
      this.os.signals.beforeReturn(t, -1);
    }
    t.inKernel = false;
  }
}
