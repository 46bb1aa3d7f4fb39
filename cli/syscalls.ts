import { supportCounts, supportText } from "../linux/compat.ts";
import { SYSCALLS } from "../linux/syscalls/table.ts";
import { EXIT } from "./errors.ts";
import { print } from "./terminal.ts";

/** Version of the JSON that --json prints. */
const JSON_VERSION = 1;

/** `hedra syscalls`: the table of Linux system calls with what programs may expect of each. */
export function runSyscalls({ json }: { json: boolean }): number {
  const calls = SYSCALLS.map(({ number, name, support }) => {
    const [level, note] = supportText(support);
    return { number, name, support: level, note };
  });
  const counts = supportCounts();
  if (json) {
    print("stdout", `${JSON.stringify({ version: JSON_VERSION, counts, calls }, undefined, 2)}\n`);
    return EXIT.OK;
  }
  const lines = calls.map(({ number, name, support, note }) =>
    `${String(number).padStart(3)}  ${name.padEnd(24)}${support.padEnd(9)}${note}`.trimEnd()
  );
  print("stdout", `${lines.join("\n")}\n${counts.full} full, ${counts.partial} partial, ${counts.none} none\n`);
  return EXIT.OK;
}
