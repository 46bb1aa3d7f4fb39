/**
 * Tries Debian programs against their native runs: `deno run -A tests/debian_programs.ts [--root=/|directory|archive] [CASE...]`. Without
 * arguments all cases of tests/debian, in each of the three roots in which their programs are.
 */
import { debianCases, missing, runBoth } from "./debian/cases.ts";
import { HOST_ROOT, packagesRoot, type Root } from "./debian/roots.ts";
import { runTerminals, TERMINAL_CASES } from "./debian/terminals.ts";

interface Trial {
  name: string;
  needs: readonly string[];
  /** What the runs differ in; undefined when they are the same. */
  compare: (root: Root) => Promise<string | undefined>;
}

const trials: readonly Trial[] = [
  ...debianCases().map((each) => ({
    ...each,
    compare: async (root: Root) => {
      const { native, hedra, said } = await runBoth(each, root);
      if (native[0] === hedra[0] && native[1] === hedra[1]) return undefined;
      return `native ${JSON.stringify(native)}\n  hedra  ${JSON.stringify(hedra)}\n  ${said}`;
    },
  })),
  ...TERMINAL_CASES.map((each) => ({
    ...each,
    needs: [...each.needs, "host:tmux"],
    compare: async (root: Root) => {
      const { native, hedra } = await runTerminals(each, root);
      const at = native.findIndex((screen, index) => screen !== hedra[index]);
      return at < 0 ? undefined : `screen ${at}\nnative\n${native[at]}\nhedra\n${hedra[at]}`;
    },
  })),
];

const ROOTS: Readonly<Record<string, () => Promise<Root>>> = {
  "/": () => Promise.resolve(HOST_ROOT),
  directory: () => packagesRoot("directory"),
  archive: () => packagesRoot("archive"),
};

const asked = Deno.args.filter((arg) => !arg.startsWith("--"));
const roots = Deno.args.filter((arg) => arg.startsWith("--root=")).map((arg) => arg.slice(7));
const counts = { same: 0, different: 0, skipped: 0 };

async function attempt({ name, needs, compare }: Trial, root: Root): Promise<void> {
  const what = `${name} in ${root.name}`;
  const absent = await missing(needs, root);
  if (absent.length > 0) {
    counts.skipped++;
    return console.log(`skip ${what}: no ${absent.join(", ")}`);
  }
  const start = performance.now();
  const verdict = await compare(root).catch((error: Error) => error.message);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  counts[verdict === undefined ? "same" : "different"]++;
  console.log(verdict === undefined ? `ok   ${what} (${seconds} s)` : `FAIL ${what} (${seconds} s)\n  ${verdict}`);
}

for (const [name, open] of Object.entries(ROOTS)) {
  if (roots.length > 0 && !roots.includes(name)) continue;
  const root = await open();
  for (const trial of trials) if (asked.length === 0 || asked.includes(trial.name)) await attempt(trial, root);
}
console.log(`${counts.same} the same, ${counts.different} different, ${counts.skipped} skipped`);
Deno.exit(counts.different > 0 ? 1 : 0);
