import type { Personality } from "../personality.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { DefaultAction, defaultAction, SIG, signalName } from "../signals/numbers.ts";
import type { SigInfo } from "../signals/state.ts";

/** Addresses of the upper half come as negative numbers. */
export const hex = (n: number): string => `0x${(n < 0 ? BigInt.asUintN(64, BigInt(n)) : n).toString(16)}`;

/** One line on stderr for a program that a signal has ended. Silent for signals by which pipelines and users end programs. */
export function reportKill(os: Personality, p: Process, info: SigInfo, by: Thread): void {
  const core = defaultAction(info.signal) === DefaultAction.Core;
  const quiet = info.signal === SIG.PIPE || info.signal === SIG.INT || info.signal === SIG.KILL || info.signal === SIG.TERM;
  // Of a child its parent can tell, as a shell does.
  if (p.parent !== undefined ? !os.options.verbose : !core && quiet) return;
  const address = info.fault === undefined ? "" : `, address ${hex(info.address)}`;
  const pc = by.process === p ? `, PC ${hex(by.state.rip)}` : "";
  os.warn(`${p.image.path} (pid ${p.pid}): ${signalName(info.signal)}${pc}${address}`);
}
