import type { Semantic } from "../sem.ts";

export const SSE: Record<string, Semantic> = {};
