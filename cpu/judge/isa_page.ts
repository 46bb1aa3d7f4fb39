/** The text of docs/isa.md: what of the instruction set there is, by the opcode table and what else reads it. */
import { CPUID_BITS } from "../helpers/cpuid.ts";
import type { OpRow } from "../insn.ts";
import { CPU_LEVELS, type CpuLevel, hasFeature } from "../level.ts";
import { AVX_FP_ROWS } from "../opcodes/avx_fp.ts";
import { AVX_INTEGER_ROWS } from "../opcodes/avx_integer.ts";
import { BMI_ROWS } from "../opcodes/bmi.ts";
import { FMA_ROWS } from "../opcodes/fma.ts";
import { INTEGER_ROWS } from "../opcodes/integer.ts";
import { ROWS } from "../opcodes/mod.ts";
import { SSE4_ROWS } from "../opcodes/sse4.ts";
import { SSE_FP_ROWS } from "../opcodes/sse_fp.ts";
import { SSE_INTEGER_ROWS } from "../opcodes/sse_integer.ts";
import { SYSTEM_ROWS } from "../opcodes/system.ts";
import { X87_ROWS } from "../opcodes/x87.ts";
import { semanticOf } from "../semantics/mod.ts";
import { effectsOf } from "../translate/effects.ts";
import type { Effects } from "../translate/regs.ts";
import { encodeRow } from "./encode.ts";
import { SKIPPED } from "./prepare.ts";
import { CODE } from "./protocol.ts";
import { quirkOf } from "./quirks.ts";
import { Random } from "./random.ts";

interface Family {
  title: string;
  /** In cpu/opcodes/. */
  file: string;
  rows: readonly OpRow[];
}

/** Every row of the table in exactly one family. */
export const FAMILIES: readonly Family[] = [
  { title: "General-purpose", file: "integer.ts", rows: INTEGER_ROWS.filter((row) => !BMI_ROWS.includes(row)) },
  { title: "BMI1, BMI2, ADX", file: "bmi.ts", rows: BMI_ROWS },
  { title: "System and input/output", file: "system.ts", rows: SYSTEM_ROWS },
  { title: "SSE to SSE3, floating point", file: "sse_fp.ts", rows: SSE_FP_ROWS },
  { title: "MMX and SSE2, integer", file: "sse_integer.ts", rows: SSE_INTEGER_ROWS },
  { title: "SSSE3, SSE4, AES, SHA", file: "sse4.ts", rows: SSE4_ROWS },
  { title: "AVX, floating point", file: "avx_fp.ts", rows: AVX_FP_ROWS },
  { title: "AVX and AVX2, integer", file: "avx_integer.ts", rows: AVX_INTEGER_ROWS },
  { title: "FMA", file: "fma.ts", rows: FMA_ROWS },
  { title: "x87 and state images", file: "x87.ts", rows: X87_ROWS },
];

/** What runs an instruction; the order is that of the columns. */
const WAYS = ["wasm", "modes", "some", "helper", "#UD", "#GP", "none"] as const;
type Way = typeof WAYS[number];

/** Enough random encodings to meet each form of a row: prefixes, register or memory. */
const SAMPLES = 24;

function samplesOf(row: OpRow): Effects[] {
  const random = new Random(1);
  return Array.from({ length: SAMPLES }, () => {
    const encoded = encodeRow(row, random, CODE.address, { branch: () => 0 });
    if (encoded === undefined) throw new Error(`Cannot encode row: ${row.enc} ${row.name} ${row.args}`);
    return effectsOf(encoded.insn);
  });
}

function wayOf(row: OpRow): Way {
  if (semanticOf(row.name) === undefined) return "none";
  if (row.fault) return row.fault === "ud" ? "#UD" : "#GP";
  const effects = samplesOf(row), helped = effects.filter((e) => e.helper).length;
  if (helped > 0) return helped === effects.length ? "helper" : "some";
  return effects.some((e) => e.arithmetic) ? "modes" : "wasm";
}

/** The first level that has a feature; rows without one are in all. */
const levelOf = (feature: string | undefined): CpuLevel =>
  CPU_LEVELS.find((level) => feature === undefined || hasFeature(level, feature))!;
const unique = <T>(items: readonly T[]): T[] => [...new Set(items)];
const tableRow = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
/** @param numbersFrom first column that is aligned to the right */
const table = (names: readonly string[], numbersFrom: number, lines: readonly string[]): string =>
  [tableRow(names), `|${names.map((_, n) => n < numbersFrom ? "---" : "--:").join("|")}|`, ...lines].join("\n");

function totals(name: string, rows: readonly OpRow[], ways: ReadonlyMap<OpRow, Way>): string {
  const counts = WAYS.map((way) => rows.filter((row) => ways.get(row) === way).length);
  const judged = rows.filter((row) => SKIPPED[row.name] === undefined).length;
  return tableRow([name, rows.length, unique(rows.map((row) => row.name)).length, ...counts, judged]);
}

/** One line of the listing stands for the legacy and the VEX form of an operation, in FMA for its operand orders and types. */
function lineKey(row: OpRow, legacy: ReadonlySet<string>): string {
  if (!row.enc.startsWith("VEX.")) return row.name;
  if (FMA_ROWS.includes(row)) return row.name.replace(/\d+..$/, "");
  return legacy.has(row.name.slice(1)) ? row.name.slice(1) : row.name;
}

/** Rows by line, where its first row stands. */
function linesOf(rows: readonly OpRow[]): OpRow[][] {
  const legacy = new Set(rows.filter((row) => !row.enc.startsWith("VEX.")).map((row) => row.name));
  const lines = new Map<string, OpRow[]>();
  for (const row of rows) {
    const key = lineKey(row, legacy), line = lines.get(key);
    if (line) line.push(row);
    else lines.set(key, [row]);
  }
  return [...lines.values()];
}

const HEX_END = /[0-9A-F]{2}$/;
/** Does `next` follow `row`, as the opcodes of condition codes do? */
function follows(row: OpRow, next: OpRow | undefined): boolean {
  if (next === undefined || next.args !== row.args || !HEX_END.test(row.enc)) return false;
  const code = parseInt(row.enc.slice(-2), 16) + 1;
  return next.enc === row.enc.slice(0, -2) + code.toString(16).toUpperCase().padStart(2, "0");
}

function encodingsText(rows: readonly OpRow[]): string {
  const texts: string[] = [];
  for (let n = 0; n < rows.length; n++) {
    const first = rows[n];
    while (follows(rows[n], rows[n + 1])) n++;
    const codes = rows[n] === first ? first.enc : `${first.enc} .. ${rows[n].enc.slice(-2)}`;
    texts.push(`\`${codes}\` ${first.args}`.trim());
  }
  return texts.join("; ");
}

function notesText(rows: readonly OpRow[]): string {
  const undef = unique(rows.map((row) => row.undef?.toUpperCase() ?? "none"));
  return [
    ...(rows.some((row) => row.lock) ? ["LOCK"] : []),
    ...(rows.some((row) => row.rep) ? ["REP"] : []),
    ...(rows.some((row) => row.approximate) ? ["approximate"] : []),
    ...(rows.some((row) => row.undef) ? [`undefined: ${undef.join(" or ")}`] : []),
  ].join("; ");
}

function judgedText(rows: readonly OpRow[]): string {
  return unique(rows.map((row) => {
    const skipped = SKIPPED[row.name], quirk = quirkOf(row);
    return skipped ? `no: ${skipped}` : quirk ? `yes, but ${quirk.reason}` : "yes";
  })).join("; ");
}

function lineText(rows: readonly OpRow[], ways: ReadonlyMap<OpRow, Way>): string {
  return tableRow([
    unique(rows.map((row) => row.name)).join(", "),
    encodingsText(rows),
    unique(rows.map((row) => row.feature ?? "")).join(", "),
    unique(rows.map((row) => ways.get(row)!)).join(", "),
    notesText(rows),
    judgedText(rows),
  ]);
}

/** Each feature that a row wants or CPUID tells. */
function featureLines(rows: readonly OpRow[]): string[] {
  const names = new Set([...rows.map((row) => row.feature ?? ""), ...CPUID_BITS.map((bit) => bit[3])]);
  names.delete("");
  return [...names].sort().map((name) => {
    const bits = CPUID_BITS.filter((bit) => bit[3] === name);
    return tableRow([
      name,
      levelOf(name),
      bits.map(([leaf, register, bit]) => `${leaf.toString(16)}:${register.toUpperCase()}.${bit}`).join(", "),
      rows.filter((row) => row.feature === name).length,
    ]);
  });
}

function sectionText({ title, file, rows }: Family, lines: readonly OpRow[][], ways: ReadonlyMap<OpRow, Way>): string {
  const own = lines.filter((line) => rows.includes(line[0])).map((line) => lineText(line, ways));
  const columns = ["instruction", "encodings and operands", "feature", "runs as", "notes", "judged"];
  return `## ${title} (\`${file}\`)\n\n${table(columns, columns.length, own)}\n`;
}

/** The text of docs/isa.md. */
export function isaPage(): string {
  const ways = new Map(ROWS.map((row) => [row, wayOf(row)]));
  const columns = ["rows", "mnemonics", ...WAYS, "judged"];
  const lines = linesOf(ROWS);
  const families = [...FAMILIES.map(({ title, rows }) => totals(title, rows, ways)), totals("all", ROWS, ways)];
  const levels = CPU_LEVELS.map((level, n) =>
    totals(n === 0 ? level : `${level} adds`, ROWS.filter((row) => levelOf(row.feature) === level), ways)
  );
  return `<!-- deno-fmt-ignore-file -->

# Instructions

Generated from the table in \`cpu/opcodes/\` by \`deno run -A tests/isa.ts\`; a test fails when this page is stale.

${table(["family", ...columns], 1, families)}

${table(["level (`--cpu`)", ...columns], 1, levels)}

A row is one opcode with its operands; interpreter and translator run the same semantics of it.

- **wasm**: WebAssembly that the semantics write, in both back ends; rare cases of x87 and others may still call a helper.
- **modes**: the same in the default modes of MXCSR; else a helper does the instruction. **some**: some forms (REP, POP to memory) are a helper's.
- **helper**: a JavaScript function of \`cpu/helpers/\` does it (SYSCALL: the kernel).
- **#UD**, **#GP**: by design, that is what user mode gets. **none**: decoded, but without semantics.
- **judged**: compared with the host's processor by [the judge](judge.md); the listing says why a row is not, or what is let pass.

Features as CPUID names them (leaf:register.bit; XSAVEOPT and XSAVEC in leaf d) and the first level that has them; v3 stands for
everything there is. CX16 is the REX.W form of cmpxchg8b's row.

${table(["feature", "level", "CPUID", "rows"], 3, featureLines(ROWS))}

In the listing the VEX form of an instruction stands with the older one, and the forms of an FMA operation stand together. A mnemonic
covers all its operand sizes (cbw: also CWDE and CDQE) and, as "cc", all conditions. Encodings and operand codes are those of the
Intel manual, vol. 2; \`cpu/insn.ts\` explains them. An empty feature means every x86-64 processor. Undefined flags are letters of
O S Z A P C; "or": it depends on the encoding.

${FAMILIES.map((family) => sectionText(family, lines, ways)).join("\n")}`;
}
