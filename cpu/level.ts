/** Levels of the processor: the micro-architecture levels of the x86-64 psABI, section 3.1.1. */
import type { OpRow } from "./insn.ts";

export const CPU_LEVELS = ["v1", "v2", "v3"] as const;
/** v3 stands for everything that is implemented, extensions beyond the psABI's list included. */
export type CpuLevel = typeof CPU_LEVELS[number];

/** Features by `OpRow.feature`; beside those of the level, what belongs to the machine: time stamps and cache control. */
const V1 = ["cmov", "cx8", "mmx", "sse", "sse2", "tsc", "rdtscp", "clfsh"];
const V2 = [...V1, "cx16", "lahf_lm", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2"];
const FEATURES: Record<CpuLevel, ReadonlySet<string> | undefined> = { v1: new Set(V1), v2: new Set(V2), v3: undefined };

export const hasFeature = (level: CpuLevel, feature: string): boolean => FEATURES[level]?.has(feature) ?? true;
/** The rows of a level; what is missing raises #UD. */
export const rowsOf = (level: CpuLevel, rows: readonly OpRow[]): readonly OpRow[] =>
  level === "v3" ? rows : rows.filter((row) => row.feature === undefined || hasFeature(level, row.feature));
