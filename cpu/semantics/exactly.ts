/** Which instructions depend on MXCSR, or set its flags. */
import type { Semantic } from "../sem.ts";

const AFFECTED = /^v?((add|sub|mul|div|min|max|sqrt|cmp|hadd|hsub|addsub|dp|round)[ps][sd]|u?comis[sd]|cvt\w+|fn?m\w+)$/;
/** Exact in every mode, without exceptions. */
const HARMLESS = /^v?cvt(dq|pi)2pd$/;

/** Semantics for the default modes, wrapped so that helpers/sse_exact.ts takes over in others and while flags are looked at. */
export const exactly = (name: string, f: Semantic): Semantic =>
  AFFECTED.test(name) && !HARMLESS.test(name) ? (s, i) => s.arithmetic("sse_exact", () => f(s, i)) : f;
