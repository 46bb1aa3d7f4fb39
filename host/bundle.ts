/**
 * `deno task bundle`: the program as a few JavaScript files in dist/, with all they need beside them. main.ts runs them instead of the
 * sources as long as these stay as they are (cli/fresh_bundle.ts).
 */
import { BUNDLE, type BundleSources, fileState, SOURCES, SOURCES_VERSION } from "../cli/fresh_bundle.ts";
import { compileEagerly } from "./eager.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, ""), ENTRY = "cli/main.ts";
const SCRIPTS = `${ROOT}/${BUNDLE.slice(0, BUNDLE.lastIndexOf("/"))}`;
/** What the program reads beside its modules, and where it looks for it: relative to the module that does. */
const BESIDE = {
  "cpu/prebuilt/runtime.wasm": "dist/cpu/prebuilt/runtime.wasm",
  "cpu/prebuilt/handlers.wasm": "dist/cpu/prebuilt/handlers.wasm",
  "host/watchdog_worker.ts": "dist/js/watchdog_worker.ts",
  "guests/boot.tar": "dist/js/boot.tar",
  "guests/services.tar": "dist/js/services.tar",
};
/** Programs of all kinds; every function that they use is compiled with its module. */
const IMAGE = ["run", "--root", "guests/boot.tar"];
const USUAL = [
  [...IMAGE, "/bin/hello"],
  [...IMAGE, "/bin/hybrid"],
  [...IMAGE, "/bin/hybrid-rust"],
  [...IMAGE, "/bin/kernels", "matrix"],
];
/** The same with a program of this machine, if it is one that Hedra can run. */
const FOREIGN = ["run", "--root", "/", "/bin/sh", "-c", "ls / | cat"];

function command(args: string[]): Deno.CommandOutput {
  return new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" }).outputSync();
}

function deno(...args: string[]): string {
  const { code, stdout, stderr } = command(args);
  if (code !== 0) throw new Error(`Cannot bundle: deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function modules(): string[] {
  const graph: { modules: { local?: string }[] } = JSON.parse(deno("info", "--json", ENTRY));
  return graph.modules.flatMap(({ local }) => local?.startsWith(`${ROOT}/`) ? [local.slice(ROOT.length + 1)] : []);
}

/** A file of V8's coverage, as far as it is needed here. */
interface Coverage {
  url: string;
  functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
}

/** By URL of the script: the functions that have been called, as "start-end". */
function called(args: readonly string[], mayFail = false): [string, string[]][] {
  const directory = Deno.makeTempDirSync(), all = ["run", "-A", `--coverage=${directory}`, BUNDLE, ...args];
  try {
    if (mayFail) command(all);
    else deno(...all);
    return [...Deno.readDirSync(directory)].filter(({ name }) => name.endsWith(".json")).map(({ name }) => {
      const { url, functions }: Coverage = JSON.parse(Deno.readTextFileSync(`${directory}/${name}`));
      const whole = functions.map(({ ranges }) => ranges[0]).filter(({ count }) => count > 0);
      return [url, whole.map(({ startOffset, endOffset }) => `${startOffset}-${endOffset}`)];
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function prepareUsual(): void {
  const wanted = new Map<string, Set<string>>();
  for (const [url, functions] of [...USUAL.flatMap((args) => called(args)), ...called(FOREIGN, true)]) {
    const known = wanted.get(url) ?? new Set();
    for (const each of functions) known.add(each);
    wanted.set(url, known);
  }
  for (const { name } of [...Deno.readDirSync(SCRIPTS)].filter(({ name }) => name.endsWith(".js"))) {
    const path = `${SCRIPTS}/${name}`, functions = wanted.get(`file://${path}`) ?? new Set();
    Deno.writeTextFileSync(path, compileEagerly(Deno.readTextFileSync(path), (start, end) => functions.has(`${start}-${end}`)));
  }
}

if (import.meta.main) {
  // Looked at before, so that what changes meanwhile makes the bundle stale.
  const files = [...modules(), ...Object.keys(BESIDE), "deno.json", "deno.lock"].map((path) => fileState(ROOT, path));
  Deno.mkdirSync(`${ROOT}/dist`, { recursive: true });
  Deno.removeSync(`${ROOT}/dist`, { recursive: true });
  deno("bundle", "--platform", "deno", "--code-splitting", "--outdir", SCRIPTS, ENTRY);
  Deno.mkdirSync(`${ROOT}/dist/cpu/prebuilt`, { recursive: true });
  for (const [from, to] of Object.entries(BESIDE)) Deno.copyFileSync(`${ROOT}/${from}`, `${ROOT}/${to}`);
  prepareUsual();
  // Fills Deno's code cache.
  deno("run", "-A", BUNDLE, ...USUAL[0]);
  deno("run", "-A", BUNDLE, ...USUAL[1]);
  Deno.writeTextFileSync(`${ROOT}/${SOURCES}`, JSON.stringify({ version: SOURCES_VERSION, files } satisfies BundleSources));
}
