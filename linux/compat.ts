import { errnoName } from "./abi/errno.ts";
import type { Support, SyscallRow } from "./syscalls/row.ts";
import { SYSCALLS } from "./syscalls/table.ts";

/** Level, and the note or errno that goes with it. */
export function supportText(support: Support): [string, string] {
  switch (support.level) {
    case "full":
      return ["full", ""];
    case "partial":
      return ["partial", support.note];
    case "none":
      return ["none", errnoName(support.errno)];
  }
}

/** How many calls have each level. */
export function supportCounts(rows: readonly SyscallRow[] = SYSCALLS): Record<Support["level"], number> {
  const counts = { full: 0, partial: 0, none: 0 };
  for (const row of rows) counts[row.support.level]++;
  return counts;
}

/** The text of docs/linux-compat.md. */
export function compatPage(rows: readonly SyscallRow[] = SYSCALLS): string {
  const { full, partial, none } = supportCounts(rows);
  const lines = rows.map((row) => {
    const [level, note] = supportText(row.support);
    return `| ${row.number} | ${row.name} | ${level} | ${note} |`;
  });
  return `<!-- deno-fmt-ignore-file -->

# Linux system calls

Generated from the table in \`linux/syscalls/\` by \`deno run -A tests/linux_compat.ts\`; a test fails when this page is stale.

Of the ${rows.length} system calls of x86-64 Linux ${full} work as on Linux, ${partial} in part, and ${none} are refused. "none" stands with the
errno that a program gets; a program that asks for one with ENOSYS finds it named on stderr at its end.

| number | name | support | note |
|---|---|---|---|
${lines.join("\n")}
`;
}
