import type { Semantic } from "../sem.ts";

export const SYSTEM: Record<string, Semantic> = {};
