import type { Semantic } from "../sem.ts";

export const INTEGER: Record<string, Semantic> = {};
