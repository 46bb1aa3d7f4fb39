import { VEC } from "../cpu/layout.ts";
import { frameFromSysret } from "./frame.ts";
import { message } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import type { Ec } from "./objects.ts";

/** Event offsets of startup and recall (ABI 7.5, 7.6). */
const EVENT_STARTUP = 30, EVENT_RECALL = 31;

/** Names of the event offsets of exceptions, startup and recall (ABI 7.4 to 7.6). */
export const EVENTS: Readonly<Record<number, string | undefined>> = {
  0: "#DE",
  1: "#DB",
  3: "#BP",
  4: "#OF",
  5: "#BR",
  6: "#UD",
  7: "#NM",
  10: "#TS",
  11: "#NP",
  12: "#SS",
  13: "#GP",
  14: "#PF",
  16: "#MF",
  17: "#AC",
  18: "#MC",
  19: "#XM",
  30: "startup",
  31: "recall",
};

/** Vectors that become messages (ABI 7.4); all others are fatal. */
const DELIVERED: ReadonlySet<number> = new Set([
  VEC.DE,
  VEC.DB,
  VEC.BP,
  VEC.OF,
  VEC.BR,
  VEC.UD,
  VEC.NM,
  VEC.TS,
  VEC.NP,
  VEC.SS,
  VEC.GP,
  VEC.PF,
  VEC.MF,
  VEC.AC,
  VEC.MC,
  VEC.XM,
]);

/** An exception of user code; its interrupt frame has been saved. */
export function deliverException(k: Kernel, ec: Ec): void {
  const vector = k.cpu.vector;
  ec.errorCode = k.cpu.errorCode;
  if (vector === VEC.PF) ec.faultAddress = k.cpu.faultAddress;
  if (!DELIVERED.has(vector)) return k.life.kill(ec, `Exception ${vector}`);
  message(k, ec, ec.eventBase + vector);
}

/** First run of a global EC (ABI 7.5): the reply must set at least RIP. */
export function deliverStartup(k: Kernel, ec: Ec): void {
  message(k, ec, ec.eventBase + EVENT_STARTUP);
}

/** The EC was recalled and is about to return to user code (ABI 7.6). */
export function deliverRecall(k: Kernel, ec: Ec): void {
  ec.recall = false;
  if (ec.viaSysret) frameFromSysret(k.cpu, k.cpu.locate(ec.state), ec.frame);
  ec.viaSysret = false;
  message(k, ec, ec.eventBase + EVENT_RECALL);
}
