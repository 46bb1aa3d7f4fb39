import assert from "node:assert/strict";
import { debianCases, missing, runBoth } from "./debian/cases.ts";
import { testWith } from "./tools.ts";

/** Quick ones; `tests/debian_programs.ts` runs all. */
const QUICK: readonly string[] = ["dash", "bash-arrays", "gawk", "lua", "sqlite3", "tar", "expect"];

for (const each of debianCases().filter(({ name }) => QUICK.includes(name))) {
  testWith([], `${each.name} of Debian does what it does natively`, async () => {
    const absent = await missing(each);
    if (absent.length > 0) return console.log(`skipped: ${each.name} needs ${absent.join(", ")}`);
    const { native, hedra, said } = await runBoth(each);
    assert.deepEqual(hedra, native, said);
  });
}
