/** `deno run -A cpu/judge/main.ts --help`: compares Hedra's processor with the host's. */
import { Command } from "commander";
import { ROWS } from "../opcodes/mod.ts";
import { baseline } from "./generate.ts";
import { Native, nativeAvailable, runSafely } from "./native.ts";
import { type Case, IMAGE_BYTES } from "./protocol.ts";
import { CaseReport } from "./report.ts";
import { StringJudge } from "./strings.ts";
import { record } from "./vectors.ts";
import { type Failure, type JudgeOptions, RowJudge, type RowReport, rowText, SequenceJudge } from "./run.ts";

/** A row by index, name, or encoding. */
function selectRows(text: string | undefined): number[] {
  const all = ROWS.map((_, n) => n);
  if (text === undefined) return all;
  return text.split(",").flatMap((part) => {
    if (/^\d+-\d+$/.test(part)) return all.filter((n) => n >= Number(part.split("-")[0]) && n <= Number(part.split("-")[1]));
    if (/^\d{1,4}$/.test(part) && !ROWS.some((r) => r.enc === part)) return [Number(part)];
    return all.filter((n) => ROWS[n].name === part || ROWS[n].enc === part);
  });
}

function print(report: RowReport, verbose: boolean): void {
  if (report.skipped !== undefined) {
    if (verbose) console.log(`skip ${rowText(report.row)}: ${report.skipped}`);
    return;
  }
  if (verbose || report.failed > 0) {
    console.log(
      `${report.failed === 0 ? "ok  " : "FAIL"} ${rowText(report.row)}: ${report.cases} cases, ${report.failed} differ`,
    );
  }
  report.failures.forEach(printFailure);
}

function printFailure(f: Failure): void {
  console.log(`     ${f.text}\n       ${f.difference}\n       ${f.state}\n       ${f.id}`);
}

const options = new Command()
  .name("judge")
  .description(
    "Runs random cases of every opcode row on Hedra's processor and on the host's and compares the results bit by bit.",
  )
  .option("--seed <n>", "seed of all cases", Number, 1)
  .option("--row <rows>", "rows by index (a-b for a range), name or encoding, comma-separated")
  .option("--cases <n>", "cases per row", Number, 200)
  .option("--sequences <n>", "judge so many random sequences instead of rows", Number)
  .option("--strings <n>", "judge so many random byte strings, valid or not, instead of rows", Number)
  .option("--case <n>", "only this case of each row, or this sequence", Number)
  .option("--heat <n>", "executions before a block is translated; 0 = interpret only", Number, 0)
  .option("--record <file>", "record results (of --cases cases per row) for hosts without the native judge")
  .option("--sticky", "compare the sticky exception flags of MXCSR too", false)
  .option("--modes", "all rounding, denormal and exception modes of x87 and MXCSR", false)
  .option("--report <file>", "add the numbers of cases to a page (docs/cpu-cases.md)")
  .option("--verbose", "print rows that agree, too", false)
  .parse(["deno", "judge", ...Deno.args])
  .opts();

if (!await nativeAvailable()) {
  console.error("Cannot run the native judge: needs gcc on x86-64 Linux");
  Deno.exit(2);
}
const image = baseline(options.seed, IMAGE_BYTES);
let native = await Native.start(image);
const onHost = async (cases: readonly Case[]) => {
  const results = await runSafely(cases, image, native);
  if (results.includes(undefined)) native = await Native.start(image);
  return results;
};
const judgeOptions: JudgeOptions = {
  seed: options.seed,
  cases: options.case === undefined ? options.sequences ?? options.strings ?? options.cases : 1,
  first: options.case ?? 0,
  baseline: image,
  heat: options.heat === 0 ? Infinity : options.heat,
  sticky: options.sticky,
  modes: options.modes,
};
if (options.record !== undefined) {
  const file = await record(onHost, options.seed, options.cases);
  await Deno.writeFile(options.record, file);
  console.log(`${options.record}: ${file.length} bytes`);
  await native.stop();
  Deno.exit(0);
}
const report = new CaseReport(options.report === undefined ? "" : await readPage(options.report));
const failed =
  await (options.sequences !== undefined ? judgeSequences() : options.strings !== undefined ? judgeStrings() : judgeRows());
if (options.report !== undefined) await Deno.writeTextFile(options.report, report.markdown());
await native.stop();
Deno.exit(failed === 0 ? 0 : 1);

async function readPage(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function judgeRows(): Promise<number> {
  const judge = new RowJudge(onHost, judgeOptions);
  const total = { judged: 0, cases: 0, failedRows: 0, failed: 0, skipped: 0 };
  for (const row of selectRows(options.row)) {
    const found = await judge.row(row);
    print(found, options.verbose);
    if (found.skipped === undefined) {
      total.judged++;
      report.addRow(row, judgeOptions, found.cases, found.failed);
    } else total.skipped++;
    total.cases += found.cases;
    total.failed += found.failed;
    if (found.failed > 0) total.failedRows++;
  }
  console.log(
    `${total.judged} rows judged with ${total.cases} cases: ${total.failedRows} rows and ${total.failed} cases differ; ${total.skipped} rows skipped`,
  );
  return total.failed;
}

async function judgeSequences(): Promise<number> {
  const found = await new SequenceJudge(onHost, judgeOptions).run();
  found.failures.forEach(printFailure);
  report.addSequences(found.cases, found.instructions, found.failed);
  console.log(`${found.cases} sequences with ${found.instructions} instructions judged: ${found.failed} differ`);
  return found.failed;
}

async function judgeStrings(): Promise<number> {
  const found = await new StringJudge(onHost, judgeOptions).run();
  found.failures.forEach(printFailure);
  report.addStrings(found);
  const parts =
    `${found.executed} instructions, ${found.invalid} #UD, ${found.notOffered} not offered by CPUID, ${found.vendors} other vendor`;
  console.log(`${found.cases} byte strings judged (${parts}): ${found.failed} differ`);
  for (const [name, count] of found.differing) console.log(`  ${name}: ${count}`);
  return found.failed;
}
