/** For tests of the processor as a whole. */
import type { CpuHooks } from "./api.ts";

/** No devices and no random numbers; the time-stamp counter is the host's clock. */
export const TIMED: CpuHooks = {
  tsc: () => Math.round(performance.now() * 1e6),
  portAllowed: () => false,
  portIn: () => 0,
  portOut() {},
  random() {},
};
