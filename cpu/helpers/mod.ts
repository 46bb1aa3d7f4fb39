/** JavaScript helpers, by the name that `Sem.helper` uses. */
import type { Helper } from "./api.ts";

export const HELPERS: Readonly<Record<string, Helper>> = {};
