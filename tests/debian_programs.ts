/** Tries Debian programs: `deno run -A tests/debian_programs.ts [CASE...]`, all of tests/debian/cases.txt without arguments. */
import { debianCases, missing, runBoth } from "./debian/cases.ts";

let failed = false;
for (const each of debianCases().filter(({ name }) => Deno.args.length === 0 || Deno.args.includes(name))) {
  const absent = await missing(each);
  if (absent.length > 0) {
    console.log(`skip ${each.name}: no ${absent.join(", ")}`);
    continue;
  }
  const start = performance.now();
  const verdict = await runBoth(each).then(({ native, hedra, said }) => {
    if (native[0] === hedra[0] && native[1] === hedra[1]) return undefined;
    return `native ${JSON.stringify(native)}\n  hedra  ${JSON.stringify(hedra)}\n  ${said}`;
  }, (error: Error) => error.message);
  failed ||= verdict !== undefined;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(verdict === undefined ? `ok   ${each.name} (${seconds} s)` : `FAIL ${each.name} (${seconds} s)\n  ${verdict}`);
}
Deno.exit(failed ? 1 : 0);
