import assert from "node:assert/strict";
import { debianCases, missing, runBoth } from "./debian/cases.ts";
import { HOST_ROOT } from "./debian/roots.ts";
import { runTerminals, TERMINAL_CASES } from "./debian/terminals.ts";
import { testWith } from "./tools.ts";

/** Quick ones; `tests/debian_programs.ts` runs all. */
const QUICK: readonly string[] = ["dash", "bash-arrays", "gawk", "lua", "sqlite3", "tar", "expect"];
const QUICK_TERMINALS: readonly string[] = ["bash-interactive", "less"];

for (const each of debianCases().filter(({ name }) => QUICK.includes(name))) {
  testWith([], `${each.name} of Debian does what it does natively`, async () => {
    const absent = await missing(each.needs, HOST_ROOT);
    if (absent.length > 0) return console.log(`skipped: ${each.name} needs ${absent.join(", ")}`);
    const { native, hedra, said } = await runBoth(each, HOST_ROOT);
    assert.deepEqual(hedra, native, said);
  });
}

for (const each of TERMINAL_CASES.filter(({ name }) => QUICK_TERMINALS.includes(name))) {
  testWith([], `${each.name} of Debian shows the screens that it shows natively`, async () => {
    const absent = await missing([...each.needs, "host:tmux"], HOST_ROOT);
    if (absent.length > 0) return console.log(`skipped: ${each.name} needs ${absent.join(", ")}`);
    const { native, hedra } = await runTerminals(each, HOST_ROOT);
    assert.deepEqual(hedra, native);
  });
}
