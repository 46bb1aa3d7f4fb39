/** Ends the whole process when its own thread cannot: see `watch`. */

import type { Order } from "./watchdog_worker.ts";

/** How long the thread has to end by itself after the limit, ms. */
const GRACE_MS = 1000;

/**
 * Ends the process with `exitCode` some time after `limitMs`, unless the returned function is called before. A thread of its own does it:
 * the one that runs the machine can hang in a write that nobody reads.
 */
export function watch(limitMs: number, exitCode: number): () => void {
  const worker = new Worker(new URL("./watchdog_worker.ts", import.meta.url), { type: "module" });
  const order: Order = { afterMs: limitMs + GRACE_MS, exitCode };
  worker.postMessage(order);
  return () => worker.terminate();
}
