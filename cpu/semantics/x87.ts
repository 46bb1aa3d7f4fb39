import type { Semantic } from "../sem.ts";

export const X87: Record<string, Semantic> = {};
