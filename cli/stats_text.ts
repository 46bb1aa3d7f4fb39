import type { CpuStats } from "../cpu/stats.ts";
import { KILL_CAUSES, SIDE_EXITS } from "../cpu/stats.ts";

const count = (n: number): string => n.toLocaleString("en-US");
const ms = (ns: number): string => `${(ns / 1e6).toFixed(1)} ms`;
const kib = (bytes: number): string => `${count(Math.ceil(bytes / 1024))} KiB`;
/** "3 this, 2 that" without the zeros. */
const causes = (counts: Readonly<Record<string, number>>, names: Readonly<Record<string, string>>): string =>
  Object.entries(counts).filter(([, n]) => n > 0).map(([key, n]) => `${count(n)} ${names[key] ?? key}`).join(", ") || "none";

/** What `--stats` prints. */
export function statsText({ interpreter: i, regions: r, syscalls }: CpuStats): string {
  const rows: [string, string][] = [
    [
      "interpreter",
      `about ${count(i.instructions)} instructions in ${count(i.blockEntries)} block entries${
        i.singleSteps ? `, ${count(i.singleSteps)} single steps` : ""
      }`,
    ],
    [
      "  decoded",
      `${count(i.blocksDecoded)} blocks, ${count(i.instructionsDecoded)} instructions, ${kib(i.recordBytes)} of records`,
    ],
    ["  handlers", `${count(i.handlers)} (${kib(i.handlerBytes)} of WebAssembly made in ${ms(i.handlerNs)})`],
    ["regions", `at least ${count(r.entries)} entries and ${count(r.polls)} polls (regions count no instructions)`],
    ["  restored", `${count(r.restored)} from earlier runs`],
    ["  made", `${count(r.made)} of ${count(r.instructionsTranslated)} instructions: ${kib(r.codeBytes)} of WebAssembly`],
    ["  compile time", `${ms(r.emitNs)} to emit, ${ms(r.compileNs)} in WebAssembly.Module and Instance`],
    ["  dropped", `${count(r.killed)}: ${causes(r.killedBy, KILL_CAUSES)}`],
    ["  exits", causes(r.exits, {})],
    ["  side exits", causes(r.sideExits, SIDE_EXITS)],
    ["system calls", count(syscalls)],
  ];
  return rows.map(([name, text]) => `${name.padEnd(16)}${text}\n`).join("");
}
