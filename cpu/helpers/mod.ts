/** JavaScript helpers, by the name that `Sem.helper` uses. */
import type { Helper } from "./api.ts";
import { CPUID_HELPERS } from "./cpuid.ts";
import { STRING_HELPERS } from "./strings.ts";
import { SYSTEM_HELPERS } from "./system.ts";

export const HELPERS: Readonly<Record<string, Helper>> = { ...STRING_HELPERS, ...SYSTEM_HELPERS, ...CPUID_HELPERS };
