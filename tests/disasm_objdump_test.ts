/** The decoder and disassembler against binutils: lengths, mnemonics and operands over the .text of real programs. */
import assert from "node:assert/strict";
import { decode } from "../cpu/decode.ts";
import { disassemble } from "../cpu/disasm.ts";

interface Section {
  address: number;
  offset: number;
  size: number;
}

/** .text of an ELF64 file, by its section header table (elf(5)). */
function textSection(file: Uint8Array): Section {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const headers = u64(0x28), entry = view.getUint16(0x3a, true), count = view.getUint16(0x3c, true);
  const names = u64(headers + view.getUint16(0x3e, true) * entry + 0x18);
  for (let n = 0; n < count; n++) {
    const at = headers + n * entry;
    const name = names + view.getUint32(at, true);
    if (new TextDecoder().decode(file.subarray(name, name + 6)) === ".text\0") {
      return { address: u64(at + 0x10), offset: u64(at + 0x18), size: u64(at + 0x20) };
    }
  }
  throw new Error("no .text section");
}

interface Line {
  address: number;
  text: string;
}

/** Instructions as objdump lists them, prefixes that it prints on lines of their own included. */
async function objdump(path: string): Promise<Line[]> {
  const args = ["-d", "-M", "intel", "--no-show-raw-insn", "-w", "-j", ".text", path];
  const { stdout } = await new Deno.Command("objdump", { args }).output();
  const lines: Line[] = [];
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const match = /^ *([0-9a-f]+):\t(.*)$/.exec(line);
    if (match !== null) lines.push({ address: parseInt(match[1], 16), text: match[2] });
  }
  return lines;
}

/** Removes what carries no information: comments, symbols, redundant prefixes and padding, and spellings that differ by convention. */
function normalise(text: string): string {
  return text
    .replace(/ *(#.*|<.*>)/g, "")
    .replace(/\b(data16|cs|ds|es|ss|rex(\.[WRXB]+)?|bnd|notrack|addr32|repz(?= ret))(?= )/g, "")
    .replace(/\s+/g, " ")
    .replace(/\b(cs|ds|es|ss):(?=\[)/g, "")
    .replace(/^xchg ax,ax$/, "nop")
    .replace(/^prefetch(t0|t1|t2|nta|w)? [A-Z]+ PTR/, "prefetch")
    .replace(/\+riz\*1|\+0x0\b/g, "")
    .replace(
      /^ ?(rep |repz |repnz )?(movs|stos|lods|scas|cmps|ins|outs)([bwdq]?) (BYTE|WORD|DWORD|QWORD|al|ax|eax|rax).*/,
      (_, rep, name, _s, kind) =>
        `${rep ?? ""}${name}${
          { BYTE: "b", WORD: "w", DWORD: "d", QWORD: "q", al: "b", ax: "w", eax: "d", rax: "q" }[kind as string]
        }`,
    )
    .replace(/\b(call|jmp|j[a-z]+|loop[a-z]*|xbegin) (?:0x)?([0-9a-f]+)$/, "$1 0x$2")
    .trim();
}

interface Difference {
  address: number;
  bytes: string;
  ours: string;
  theirs: string;
}

/** EVEX, and what is VEX-encoded but has no row. */
const unknown = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x62 || ((bytes[0] & 0xfe) === 0xc4 && "invalid" in decode(bytes, 0, Math.min(15, bytes.length), 0));

/** Extensions that no row has, and FWAIT joined with the instruction behind it. */
const OTHERS = /^(x(test|begin|abort|end)|(rd|wr)pkru|(rd|inc)ssp[dq]|fst(sw|cw|env)|f(init|clex|save)\b)/;

async function compare(path: string): Promise<{ total: number; lengths: Difference[]; texts: Difference[] }> {
  const file = await Deno.readFile(path);
  const { address, offset, size } = textSection(file);
  const lines = await objdump(path);
  const lengths: Difference[] = [], texts: Difference[] = [];
  for (let n = 0; n < lines.length; n++) {
    const { address: pc, text } = lines[n];
    const length = (lines[n + 1]?.address ?? address + size) - pc;
    if (text.includes("(bad)") || OTHERS.test(text) || unknown(file.subarray(offset + pc - address))) continue;
    const at = offset + pc - address;
    const insn = decode(file, at, Math.min(15, file.length - at), pc);
    const bytes = Array.from(file.subarray(at, at + length), (b) => b.toString(16).padStart(2, "0")).join(" ");
    const difference = { address: pc, bytes, ours: disassemble(insn), theirs: text };
    if (insn.length !== length || "invalid" in insn) lengths.push(difference);
    else if (normalise(difference.ours) !== normalise(text)) texts.push(difference);
  }
  return { total: lines.length, lengths, texts };
}

/** Programs that are there on Debian; each is skipped where it is missing. */
const PROGRAMS = ["/usr/bin/busybox", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libm.so.6"];
const available = async (path: string): Promise<boolean> => await Deno.stat(path).then(() => true, () => false);
const hasObjdump = await new Deno.Command("objdump", { args: ["--version"], stdout: "null" }).output().then(
  () => true,
  () => false,
);

for (const path of PROGRAMS) {
  Deno.test({
    name: `every instruction of ${path} has the length and the text that objdump gives it`,
    ignore: !hasObjdump || !await available(path),
    async fn() {
      const { total, lengths, texts } = await compare(path);
      assert.ok(total > 10_000, `objdump lists ${total} instructions`);
      assert.deepEqual(lengths, []);
      assert.deepEqual(texts, []);
    },
  });
}

/** `deno run -A tests/disasm_objdump_test.ts FILE...` prints the differences of any programs. */
if (import.meta.main && Deno.args.length > 0) {
  for (const path of Deno.args) {
    const { total, lengths, texts } = await compare(path);
    console.log(path, total, "instructions,", lengths.length, "lengths differ,", texts.length, "texts differ");
    const seen = new Map<string, [number, Difference]>();
    for (const d of [...lengths, ...texts]) {
      const key = normalise(d.theirs).split(" ")[0] + "|" + normalise(d.ours).split(" ")[0];
      seen.set(key, [(seen.get(key)?.[0] ?? 0) + 1, d]);
    }
    for (const [key, [count, d]] of [...seen].sort((a, b) => b[1][0] - a[1][0]).slice(0, 60)) {
      console.log(count, key, "|", d.bytes, "| ours:", normalise(d.ours), "| objdump:", normalise(d.theirs));
    }
  }
}
