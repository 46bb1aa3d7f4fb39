import type { CpuLevel } from "../cpu/level.ts";
import type { Refused } from "./trace/refusals.ts";

/** What the Linux personality is told when it is made. */
export interface LinuxOptions {
  strace: boolean;
  /** Numbers of the calls that strace is about; every one when undefined. */
  traceSet?: ReadonlySet<number>;
  /** A table at the end instead of a line for each call. */
  traceSummary?: boolean;
  /** Every run has the same addresses. */
  fixedAddresses?: boolean;
  /** Otherwise: bytes that lay them out (loader/layout.ts); random ones when absent. */
  layoutSeed?: Uint8Array;
  /** Who programs are started as; root when absent. */
  user?: { uid: number; gid: number };
  /** What /proc/cpuinfo tells; "v3" when absent. */
  cpuLevel?: CpuLevel;
  /** More messages: unimplemented calls as they happen. */
  verbose: boolean;
  /** Is told what programs did not get, when one that roottask has started has ended. */
  learned?: (refused: readonly Refused[]) => void;
}
