/** Profiles as files and as a table. */
import type { Profile } from "./sampler.ts";

const micros = (ns: number): number => Math.round(ns / 1000);

/** Folded stacks: "outer;inner 123", microseconds; what flame-graph tools read. */
export function folded({ frames, stacks }: Profile): string {
  const name = (n: number) => frames[n].name.replaceAll(/[; \n]/g, "_");
  return stacks.map((s) => `${s.frames.map(name).join(";")} ${micros(s.ns)}\n`).sort().join("");
}

/** https://www.speedscope.app/file-format-schema.json, profile type "sampled". */
export function speedscope({ frames, stacks }: Profile, name: string): string {
  const weights = stacks.map((s) => micros(s.ns));
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    exporter: "hedra",
    name,
    shared: { frames: frames.map(({ name, module }) => module === "" ? { name } : { name, file: module }) },
    profiles: [{
      type: "sampled",
      name,
      unit: "microseconds",
      startValue: 0,
      endValue: weights.reduce((a, b) => a + b, 0),
      samples: stacks.map((s) => s.frames),
      weights,
    }],
  });
}

/** The functions with the most time of their own. `total`: with what they called. */
export function topTable({ frames, stacks, samples }: Profile, rows: number): string {
  const self = new Float64Array(frames.length), total = new Float64Array(frames.length);
  let all = 0;
  for (const s of stacks) {
    all += s.ns;
    self[s.frames[s.frames.length - 1]] += s.ns;
    for (const n of new Set(s.frames)) total[n] += s.ns;
  }
  const percent = (ns: number) => `${(100 * ns / Math.max(1, all)).toFixed(1)}%`.padStart(7);
  const order = frames.map((_, n) => n).sort((a, b) => self[b] - self[a] || total[b] - total[a]).slice(0, rows);
  const lines = order.map((n) =>
    `${percent(self[n])} ${percent(total[n])}  ${frames[n].name}${
      frames[n].module && frames[n].name !== `[${frames[n].module}]` ? `  (${frames[n].module})` : ""
    }`
  );
  return [`${samples} samples, ${(all / 1e9).toFixed(3)} s of guest time`, "   self   total  function", ...lines].join("\n") +
    "\n";
}
