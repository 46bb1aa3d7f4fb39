/**
 * `deno task bundle`: the program as a few JavaScript files in dist/, with all they need beside them. main.ts runs them instead of the
 * sources as long as these stay as they are (cli/fresh_bundle.ts).
 */
import { BUNDLE, type BundleSources, fileState, SOURCES, SOURCES_VERSION } from "../cli/fresh_bundle.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, ""), ENTRY = "cli/main.ts";
/** What the program reads beside its modules, and where it looks for it: relative to the module that does. */
const BESIDE = {
  "cpu/prebuilt/runtime.wasm": "dist/cpu/prebuilt/runtime.wasm",
  "cpu/prebuilt/handlers.wasm": "dist/cpu/prebuilt/handlers.wasm",
  "host/watchdog_worker.ts": "dist/js/watchdog_worker.ts",
  "guests/boot.tar": "dist/js/boot.tar",
  "guests/services.tar": "dist/js/services.tar",
};

function deno(...args: string[]): string {
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).outputSync();
  if (code !== 0) throw new Error(`Cannot bundle: deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function modules(): string[] {
  const graph: { modules: { local?: string }[] } = JSON.parse(deno("info", "--json", ENTRY));
  return graph.modules.flatMap(({ local }) => local?.startsWith(`${ROOT}/`) ? [local.slice(ROOT.length + 1)] : []);
}

if (import.meta.main) {
  // Looked at before, so that what changes meanwhile makes the bundle stale.
  const files = [...modules(), ...Object.keys(BESIDE), "deno.json", "deno.lock"].map((path) => fileState(ROOT, path));
  Deno.mkdirSync(`${ROOT}/dist`, { recursive: true });
  Deno.removeSync(`${ROOT}/dist`, { recursive: true });
  deno("bundle", "--platform", "deno", "--code-splitting", "--outdir", BUNDLE.slice(0, BUNDLE.lastIndexOf("/")), ENTRY);
  Deno.mkdirSync(`${ROOT}/dist/cpu/prebuilt`, { recursive: true });
  for (const [from, to] of Object.entries(BESIDE)) Deno.copyFileSync(`${ROOT}/${from}`, `${ROOT}/${to}`);
  Deno.writeTextFileSync(`${ROOT}/${SOURCES}`, JSON.stringify({ version: SOURCES_VERSION, files } satisfies BundleSources));
}
