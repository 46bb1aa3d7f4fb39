/** The page of `--report`: how many cases of each row have been judged, in which way. A run adds to what the page has. */
import { ROWS } from "../opcodes/mod.ts";

/** How cases were run: name of the column. */
export interface Way {
  /** Executions before translation; Infinity = interpreted. */
  heat: number;
  modes?: boolean;
}
const COLUMNS = ["interpreted", "translated at once", "translated later", "all modes"] as const;
type Column = typeof COLUMNS[number];

export const columnOf = ({ heat, modes }: Way): Column =>
  modes ? "all modes" : heat === Infinity ? "interpreted" : heat === 1 ? "translated at once" : "translated later";

const rowName = (index: number): string => `${ROWS[index].enc} ${ROWS[index].name} ${ROWS[index].args}`.trim();
const HEAD = "| row | interpreted | translated at once | translated later | all modes | differ |";
const CELL = /^\| `([^`]+)` \|(.*)\|$/;
const STRINGS = /^Byte strings: (\d+), of them (\d+) instructions, (\d+) #UD, (\d+) not offered by CPUID, (\d+) differ\.$/m;
const SEQUENCES = /^Sequences: (\d+) with (\d+) instructions, (\d+) differ\.$/m;

export class CaseReport {
  /** Row -> cases per column, and how many differ. */
  readonly #rows = new Map<string, number[]>();
  #sequences = [0, 0, 0];
  #strings = [0, 0, 0, 0, 0];

  /** @param page a page written by `markdown` before, or "" */
  constructor(page: string) {
    for (const line of page.split("\n")) {
      const [, name, cells] = line.match(CELL) ?? [];
      if (name !== undefined) this.#rows.set(name, cells.split("|").map(Number));
    }
    const [, ...numbers] = page.match(SEQUENCES) ?? [];
    if (numbers.length > 0) this.#sequences = numbers.map(Number);
    const [, ...strings] = page.match(STRINGS) ?? [];
    if (strings.length > 0) this.#strings = strings.map(Number);
  }
  addRow(index: number, way: Way, cases: number, differ: number): void {
    const name = rowName(index), counts = this.#rows.get(name) ?? [0, 0, 0, 0, 0];
    counts[COLUMNS.indexOf(columnOf(way))] += cases;
    counts[COLUMNS.length] += differ;
    this.#rows.set(name, counts);
  }
  addSequences(sequences: number, instructions: number, differ: number): void {
    this.#sequences = [sequences, instructions, differ].map((n, i) => n + this.#sequences[i]);
  }
  /** What differs between vendors and is not compared, is not counted. */
  addStrings(found: { executed: number; invalid: number; notOffered: number; failed: number }): void {
    const { executed, invalid, notOffered, failed } = found;
    const numbers = [executed + invalid + notOffered, executed, invalid, notOffered, failed];
    this.#strings = numbers.map((n, i) => n + this.#strings[i]);
  }
  get cases(): number {
    return [...this.#rows.values()].reduce((sum, counts) => sum + counts.slice(0, COLUMNS.length).reduce((a, b) => a + b), 0);
  }
  markdown(): string {
    const known = ROWS.map((_, n) => rowName(n)).filter((name, n, all) => this.#rows.has(name) && all.indexOf(name) === n);
    const differ = known.reduce((sum, name) => sum + this.#rows.get(name)![COLUMNS.length], 0);
    const [sequences, instructions, different] = this.#sequences;
    const [strings, executed, invalid, notOffered, strange] = this.#strings;
    return [
      "<!-- deno-fmt-ignore-file -->\n",
      "# Cases judged by the host's processor\n",
      "Written by `deno run -A cpu/judge/main.ts --report docs/cpu-cases.md` and further options (docs/judge.md); each run adds its cases.",
      "Rows of the same name count together.\n",
      `Rows: ${known.length} with ${this.cases} cases, ${differ} differ.\n`,
      `Sequences: ${sequences} with ${instructions} instructions, ${different} differ.\n`,
      `Byte strings: ${strings}, of them ${executed} instructions, ${invalid} #UD, ${notOffered} not offered by CPUID, ${strange} differ.\n`,
      HEAD,
      "| --- | --: | --: | --: | --: | --: |",
      ...known.map((name) => `| \`${name}\` | ${this.#rows.get(name)!.join(" | ")} |`),
      "",
    ].join("\n");
  }
}
