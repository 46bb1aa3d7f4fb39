/** Starts Hedra: from the bundle in dist/ (`deno task bundle`) as long as the sources are those it was made from, else from the sources. */
import { BUNDLE, isBundleFresh } from "./cli/fresh_bundle.ts";

// Not a literal: Deno would read the hundreds of modules behind it before anything runs.
const source = new URL(isBundleFresh(import.meta.dirname ?? ".") ? BUNDLE : "cli/main.ts", import.meta.url).href;
const { main }: typeof import("./cli/main.ts") = await import(source);
if (import.meta.main) await main();
