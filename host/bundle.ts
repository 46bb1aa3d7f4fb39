/**
 * `deno task bundle [--if-stale]`: the program as a few JavaScript files in dist/, with all they need beside them. main.ts runs them
 * instead of the sources as long as these stay as they are (cli/fresh_bundle.ts). With `--if-stale` only if it does not now, and what
 * goes wrong is told, but no failure.
 */
import { BUNDLE, type BundleSources, fileState, isBundleFresh, SOURCES, SOURCES_VERSION } from "../cli/fresh_bundle.ts";
import { compileEagerly } from "./eager.ts";

const ROOT = (import.meta.dirname ?? "./host").slice(0, -"/host".length), ENTRY = "cli/main.ts";
const DIST = `${ROOT}/dist`;
/** Below dist/: the scripts, and the one to start with. */
const SCRIPTS = "js", MAIN = BUNDLE.slice("dist/".length);
/** What the program reads beside its modules, and where below dist/ it looks for it: relative to the module that does. */
const BESIDE = {
  "cpu/prebuilt/runtime.wasm": "cpu/prebuilt/runtime.wasm",
  "cpu/prebuilt/handlers.wasm": "cpu/prebuilt/handlers.wasm",
  "host/watchdog_worker.ts": "js/watchdog_worker.ts",
  "guests/boot.tar": "js/boot.tar",
  "guests/services.tar": "js/services.tar",
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
/** Files of older bundles stay for programs that are running. */
const KEEP_MS = 3_600_000;

/** What `deno ARGS` prints. Hedra's own cache is a new one, so that programs run as if for the first time. */
async function deno(args: string[], mayFail = false, cache = ""): Promise<string> {
  const env = { HEDRA_CACHE: cache };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env, stdin: "null" }).output();
  if (code !== 0 && !mayFail) throw new Error(`deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function modules(): Promise<string[]> {
  const graph: { modules: { local?: string }[] } = JSON.parse(await deno(["info", "--json", ENTRY]));
  return graph.modules.flatMap(({ local }) => local?.startsWith(`${ROOT}/`) ? [local.slice(ROOT.length + 1)] : []);
}

/** Paths of all files below `directory`, relative to it. */
function filesIn(directory: string, below = ""): string[] {
  return [...Deno.readDirSync(`${directory}/${below}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(directory, `${below}${name}/`) : [below + name]
  );
}

/** A file of V8's coverage, as far as it is needed here. */
interface Coverage {
  url: string;
  functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
}

/** The functions that the bundle calls in a run, as "PATH start-end". */
async function called(bundle: string, args: readonly string[], mayFail: boolean): Promise<string[]> {
  const directory = Deno.makeTempDirSync();
  try {
    await deno(["run", "-A", `--coverage=${directory}`, `${bundle}/${MAIN}`, ...args], mayFail, `${directory}/cache`);
    return filesIn(directory).filter((name) => name.endsWith(".json")).flatMap((name) => {
      const { url, functions }: Coverage = JSON.parse(Deno.readTextFileSync(`${directory}/${name}`));
      const whole = functions.map(({ ranges }) => ranges[0]).filter(({ count }) => count > 0);
      const path = decodeURIComponent(new URL(url).pathname);
      return whole.map(({ startOffset, endOffset }) => `${path} ${startOffset}-${endOffset}`);
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function compileUsual(bundle: string): Promise<void> {
  const runs = [...USUAL.map((args) => called(bundle, args, false)), called(bundle, FOREIGN, true)];
  const wanted = new Set((await Promise.all(runs)).flat());
  for (const name of filesIn(`${bundle}/${SCRIPTS}`).filter((name) => name.endsWith(".js"))) {
    const path = `${bundle}/${SCRIPTS}/${name}`;
    Deno.writeTextFileSync(
      path,
      compileEagerly(Deno.readTextFileSync(path), (start, end) => wanted.has(`${path} ${start}-${end}`)),
    );
  }
}

/** Moves the files of `from` to dist/, one by one: a program that was started from there finds all that it loads later. */
function install(from: string): void {
  const names = filesIn(from), made = new Set(names);
  for (const name of names) {
    Deno.mkdirSync(`${DIST}/${name.slice(0, name.lastIndexOf("/"))}`, { recursive: true });
    Deno.renameSync(`${from}/${name}`, `${DIST}/${name}`);
  }
  for (const name of filesIn(`${DIST}/${SCRIPTS}`)) {
    const path = `${SCRIPTS}/${name}`;
    if (!made.has(path) && Date.now() - fileState(DIST, path)[2] > KEEP_MS) Deno.removeSync(`${DIST}/${path}`);
  }
}

async function makeBundle(): Promise<void> {
  // Looked at before, so that what changes meanwhile makes the bundle stale.
  const files = [...await modules(), ...Object.keys(BESIDE), "deno.json", "deno.lock"].map((path) => fileState(ROOT, path));
  Deno.mkdirSync(DIST, { recursive: true });
  const temporary = Deno.makeTempDirSync({ dir: DIST });
  try {
    await deno(["bundle", "--platform", "deno", "--code-splitting", "--outdir", `${temporary}/${SCRIPTS}`, ENTRY]);
    Deno.mkdirSync(`${temporary}/cpu/prebuilt`, { recursive: true });
    for (const [from, to] of Object.entries(BESIDE)) Deno.copyFileSync(`${ROOT}/${from}`, `${temporary}/${to}`);
    await compileUsual(temporary);
    install(temporary);
    // Fills Deno's code cache.
    for (const args of USUAL.slice(0, 2)) await deno(["run", "-A", BUNDLE, ...args]);
    Deno.writeTextFileSync(`${temporary}/sources`, JSON.stringify({ version: SOURCES_VERSION, files } satisfies BundleSources));
    Deno.renameSync(`${temporary}/sources`, `${ROOT}/${SOURCES}`);
  } finally {
    Deno.removeSync(temporary, { recursive: true });
  }
}

if (import.meta.main) {
  const mayFail = Deno.args.includes("--if-stale");
  if (!mayFail || !isBundleFresh(ROOT)) {
    console.error("Bundling Hedra for a quick start ...");
    try {
      await makeBundle();
    } catch (error) {
      console.error(`Cannot bundle: ${error instanceof Error ? error.message : error}`);
      if (!mayFail) Deno.exit(1);
    }
  }
}
