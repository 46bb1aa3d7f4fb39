/** Runs workloads on several systems in turn, so that a slow moment of the machine meets all of them, and compares what they print. */
import { stripVTControlCharacters } from "node:util";
import { text } from "../tests/process.ts";
import type { System } from "./systems.ts";
import { median, parseLines } from "./table.ts";
import type { Workload } from "./workloads.ts";

/** Nanoseconds of one quantity on one system. */
export interface Times {
  median: number;
  min: number;
  /** To the first system: the median of the repetitions, each with its own run of the first system. */
  ratio: number;
  /** To the first system: the quickest repetitions of both. */
  ratioOfMinima: number;
}

/** One quantity that a workload measures. */
export interface Entry {
  name: string;
  /** By name of system. */
  times: Map<string, Times>;
  /** Why there is no time, by name of system. */
  failed: Map<string, string>;
}

interface Sample {
  ns: Map<string, number>;
  /** What must be the same on all systems. */
  result: string;
}

/** What a run of `wallNs` nanoseconds that printed `stdout` says. */
export function readSample(w: Workload, stdout: string, wallNs: number): Sample {
  switch (w.measure) {
    case "wall":
      return { ns: new Map([[w.name, wallNs]]), result: stdout };
    case "requests": {
      const found = [...stdout.matchAll(/^(\w+): ([\d.]+) requests per second/gm)];
      return { ns: new Map(found.map(([, name, n]) => [`${w.name} ${name}`, 1e9 / Number(n)])), result: String(found.length) };
    }
    case "lines": {
      const lines = [...parseLines(stdout)], ns = new Map<string, number>();
      for (const [name, fields] of lines) {
        for (const [field, suffix] of Object.entries(w.fields ?? {})) {
          if (fields.has(field)) ns.set(name + suffix, Number(fields.get(field)) * (w.scale ?? 1));
        }
      }
      return { ns, result: lines.map(([name, fields]) => `${name} ${fields.get("check") ?? ""}`).join("\n") };
    }
  }
}

/** One run; undefined when the system cannot run such a workload. */
async function sampleOf(w: Workload, system: System): Promise<Sample | undefined> {
  const began = performance.now(), outcome = await system.run(w);
  if (outcome === undefined) return undefined;
  const { code, stdout, stderr } = outcome, wallNs = (performance.now() - began) * 1e6;
  if (code !== 0) throw new Error(`ended with ${code}: ${text(stderr).trim()}`);
  const sample = readSample(w, text(stdout), wallNs);
  if (sample.ns.size === 0) throw new Error("printed no measurement");
  return sample;
}

const firstLine = (error: unknown): string =>
  stripVTControlCharacters((error instanceof Error ? error.message : String(error)).split("\n")[0]);

/**
 * Measures `w` in `reps` rounds on all systems. The first system (native) sets the output that the others must print; a system that fails
 * once is not tried again. Throws when the first one fails.
 */
export async function contest(w: Workload, systems: readonly System[], reps: number): Promise<Entry[]> {
  const samples = new Map<string, Sample[]>(), failed = new Map<string, string>();
  let expected: string | undefined;
  for (const system of systems) {
    // What is wrong with it shows below.
    for (let n = 0; n < (system.warmUps ?? 0); n++) await system.run(w);
  }
  for (let rep = 0; rep < reps + (w.warmUp ? 1 : 0); rep++) {
    for (const system of systems) {
      if (failed.has(system.name)) continue;
      try {
        const sample = await sampleOf(w, system);
        if (sample === undefined) continue;
        expected ??= sample.result;
        if (sample.result !== expected) throw new Error("another result than natively");
        if (rep > 0 || !w.warmUp) samples.set(system.name, [...samples.get(system.name) ?? [], sample]);
      } catch (error) {
        if (system === systems[0]) throw new Error(`${system.name}: ${firstLine(error)}`);
        failed.set(system.name, firstLine(error));
      }
    }
  }
  const base = samples.get(systems[0].name) ?? [];
  return [...base[0].ns.keys()].map((name): Entry => {
    const values = (of: readonly Sample[]) => of.map(({ ns }) => ns.get(name) ?? NaN);
    const natives = values(base), times = new Map<string, Times>();
    for (const [system, of] of samples) {
      if (failed.has(system)) continue;
      const ns = values(of);
      times.set(system, {
        median: median(ns),
        min: Math.min(...ns),
        ratio: median(ns.map((value, i) => value / natives[i])),
        ratioOfMinima: Math.min(...ns) / Math.min(...natives),
      });
    }
    return { name, times, failed };
  });
}
