/** A host whose random numbers and date are the same in every run. */
import type { Host } from "./api.ts";

/** 2025-01-01T00:00:00Z: when the machine starts. Time then passes as it does. */
const START_SECONDS = 1_735_689_600;
const SEED = 0x9e37_79b9;
const NS = 1_000_000_000;

export function deterministic<T extends Host>(host: T): T {
  const origin = host.now();
  let state = SEED;
  return {
    ...host,
    wallClock() {
      const passed = host.now() - origin;
      return [START_SECONDS + Math.floor(passed / NS), passed % NS];
    },
    /** xorshift32 of Marsaglia, "Xorshift RNGs", 2003. */
    random(out) {
      for (let i = 0; i < out.length; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        out[i] = state;
      }
    },
  };
}
