/**
 * General-purpose instructions (Intel SDM vol. 2; opcode maps in appendix A). System and input/output instructions: system.ts.
 *
 * Conventions beyond those of `OpRow`: a row without "NP", "66", "F2" or "F3" accepts 66 as operand-size prefix and ignores F2/F3 (or takes
 * them as REP when `rep` says so); the more specific row wins (fixed third byte, mandatory prefix). Rows with the same `/n` differ by
 * their operand code: M is memory only, R register only. Opcode 90 is NOP unless REX.B is set, then it is XCHG.
 */
import type { OpRow } from "../insn.ts";
import { BMI_ROWS } from "./bmi.ts";

const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, "0");

/** The eight operations of opcodes 00..3F and of group 1, in their /n order. */
const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
/** Group 2; /6 is an alias of SHL. */
const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"] as const;

function aluRows(name: string, n: number): OpRow[] {
  const undef = name === "and" || name === "or" || name === "xor" ? { undef: "a" } : {};
  const rest = name === "cmp" ? undef : { ...undef, lock: true };
  return [
    { enc: hex(8 * n), name, args: "Eb,Gb", size: "b", ...rest },
    { enc: hex(8 * n + 1), name, args: "Ev,Gv", ...rest },
    { enc: hex(8 * n + 2), name, args: "Gb,Eb", size: "b", ...undef },
    { enc: hex(8 * n + 3), name, args: "Gv,Ev", ...undef },
    { enc: hex(8 * n + 4), name, args: "AL,Ib", size: "b", ...undef },
    { enc: hex(8 * n + 5), name, args: "rAX,Iz", ...undef },
    { enc: `80 /${n}`, name, args: "Eb,Ib", size: "b", ...rest },
    { enc: `81 /${n}`, name, args: "Ev,Iz", ...rest },
    { enc: `83 /${n}`, name, args: "Ev,Ibs", ...rest },
  ];
}

/** OF is defined for a count of one only, AF never (rotates leave it alone). */
function shiftRows(name: string, n: number): OpRow[] {
  const rotate = n < 4;
  const once = rotate ? {} : { undef: "a" }, many = { undef: rotate ? "o" : "oa" };
  return [
    { enc: `C0 /${n}`, name, args: "Eb,Ib", size: "b", ...many },
    { enc: `C1 /${n}`, name, args: "Ev,Ib", ...many },
    { enc: `D0 /${n}`, name, args: "Eb,1", size: "b", ...once },
    { enc: `D1 /${n}`, name, args: "Ev,1", ...once },
    { enc: `D2 /${n}`, name, args: "Eb,CL", size: "b", ...many },
    { enc: `D3 /${n}`, name, args: "Ev,CL", ...many },
  ];
}

const CONDITIONS = Array.from({ length: 16 }, (_, cc) => cc);

export const INTEGER_ROWS: readonly OpRow[] = [
  // ---- arithmetic and logic
  ...ALU.flatMap(aluRows),
  { enc: "FE /0", name: "inc", args: "Eb", size: "b", lock: true },
  { enc: "FF /0", name: "inc", args: "Ev", lock: true },
  { enc: "FE /1", name: "dec", args: "Eb", size: "b", lock: true },
  { enc: "FF /1", name: "dec", args: "Ev", lock: true },
  { enc: "F6 /2", name: "not", args: "Eb", size: "b", lock: true },
  { enc: "F7 /2", name: "not", args: "Ev", lock: true },
  { enc: "F6 /3", name: "neg", args: "Eb", size: "b", lock: true },
  { enc: "F7 /3", name: "neg", args: "Ev", lock: true },
  { enc: "84", name: "test", args: "Eb,Gb", size: "b", undef: "a" },
  { enc: "85", name: "test", args: "Ev,Gv", undef: "a" },
  { enc: "A8", name: "test", args: "AL,Ib", size: "b", undef: "a" },
  { enc: "A9", name: "test", args: "rAX,Iz", undef: "a" },
  { enc: "F6 /0", name: "test", args: "Eb,Ib", size: "b", undef: "a" },
  { enc: "F7 /0", name: "test", args: "Ev,Iz", undef: "a" },
  // Undocumented alias of /0 that processors accept.
  { enc: "F6 /1", name: "test", args: "Eb,Ib", size: "b", undef: "a" },
  { enc: "F7 /1", name: "test", args: "Ev,Iz", undef: "a" },

  // ---- multiplication and division
  { enc: "F6 /4", name: "mul", args: "Eb", size: "b", undef: "szap" },
  { enc: "F7 /4", name: "mul", args: "Ev", undef: "szap" },
  { enc: "F6 /5", name: "imul", args: "Eb", size: "b", undef: "szap" },
  { enc: "F7 /5", name: "imul", args: "Ev", undef: "szap" },
  { enc: "0F AF", name: "imul", args: "Gv,Ev", undef: "szap" },
  { enc: "69", name: "imul", args: "Gv,Ev,Iz", undef: "szap" },
  { enc: "6B", name: "imul", args: "Gv,Ev,Ibs", undef: "szap" },
  { enc: "F6 /6", name: "div", args: "Eb", size: "b", undef: "oszapc" },
  { enc: "F7 /6", name: "div", args: "Ev", undef: "oszapc" },
  { enc: "F6 /7", name: "idiv", args: "Eb", size: "b", undef: "oszapc" },
  { enc: "F7 /7", name: "idiv", args: "Ev", undef: "oszapc" },
  // CBW/CWDE/CDQE and CWD/CDQ/CQO, by operand size.
  { enc: "98", name: "cbw", args: "" },
  { enc: "99", name: "cwd", args: "" },

  // ---- shifts and rotates
  ...SHIFTS.flatMap(shiftRows),
  { enc: "0F A4", name: "shld", args: "Ev,Gv,Ib", undef: "oa" },
  { enc: "0F A5", name: "shld", args: "Ev,Gv,CL", undef: "oa" },
  { enc: "0F AC", name: "shrd", args: "Ev,Gv,Ib", undef: "oa" },
  { enc: "0F AD", name: "shrd", args: "Ev,Gv,CL", undef: "oa" },

  // ---- bits
  { enc: "0F A3", name: "bt", args: "Ev,Gv", undef: "osap" },
  { enc: "0F AB", name: "bts", args: "Ev,Gv", lock: true, undef: "osap" },
  { enc: "0F B3", name: "btr", args: "Ev,Gv", lock: true, undef: "osap" },
  { enc: "0F BB", name: "btc", args: "Ev,Gv", lock: true, undef: "osap" },
  { enc: "0F BA /4", name: "bt", args: "Ev,Ib", undef: "osap" },
  { enc: "0F BA /5", name: "bts", args: "Ev,Ib", lock: true, undef: "osap" },
  { enc: "0F BA /6", name: "btr", args: "Ev,Ib", lock: true, undef: "osap" },
  { enc: "0F BA /7", name: "btc", args: "Ev,Ib", lock: true, undef: "osap" },
  { enc: "0F BC", name: "bsf", args: "Gv,Ev", undef: "osapc" },
  { enc: "0F BD", name: "bsr", args: "Gv,Ev", undef: "osapc" },
  { enc: "F3 0F BC", name: "tzcnt", args: "Gv,Ev", undef: "osap", feature: "bmi1" },
  { enc: "F3 0F BD", name: "lzcnt", args: "Gv,Ev", undef: "osap", feature: "lzcnt" },
  { enc: "F3 0F B8", name: "popcnt", args: "Gv,Ev", feature: "popcnt" },

  // ---- moves
  { enc: "88", name: "mov", args: "Eb,Gb", size: "b" },
  { enc: "89", name: "mov", args: "Ev,Gv" },
  { enc: "8A", name: "mov", args: "Gb,Eb", size: "b" },
  { enc: "8B", name: "mov", args: "Gv,Ev" },
  { enc: "A0", name: "mov", args: "AL,Ob", size: "b" },
  { enc: "A1", name: "mov", args: "rAX,Ov" },
  { enc: "A2", name: "mov", args: "Ob,AL", size: "b" },
  { enc: "A3", name: "mov", args: "Ov,rAX" },
  { enc: "B0+r", name: "mov", args: "Zb,Ib", size: "b" },
  { enc: "B8+r", name: "mov", args: "Zv,Iv" },
  { enc: "C6 /0", name: "mov", args: "Eb,Ib", size: "b" },
  { enc: "C7 /0", name: "mov", args: "Ev,Iz" },
  { enc: "8D", name: "lea", args: "Gv,M" },
  { enc: "63", name: "movsxd", args: "Gv,Ed" },
  { enc: "0F B6", name: "movzx", args: "Gv,Eb" },
  { enc: "0F B7", name: "movzx", args: "Gv,Ew" },
  { enc: "0F BE", name: "movsx", args: "Gv,Eb" },
  { enc: "0F BF", name: "movsx", args: "Gv,Ew" },
  { enc: "NFx 0F 38 F0", name: "movbe", args: "Gv,Mv", feature: "movbe" },
  { enc: "NFx 0F 38 F1", name: "movbe", args: "Mv,Gv", feature: "movbe" },
  { enc: "0F C8+r", name: "bswap", args: "Zv" },
  { enc: "86", name: "xchg", args: "Eb,Gb", size: "b", lock: true },
  { enc: "87", name: "xchg", args: "Ev,Gv", lock: true },
  { enc: "90+r", name: "xchg", args: "Zv,rAX" },
  { enc: "0F C0", name: "xadd", args: "Eb,Gb", size: "b", lock: true },
  { enc: "0F C1", name: "xadd", args: "Ev,Gv", lock: true },
  { enc: "0F B0", name: "cmpxchg", args: "Eb,Gb", size: "b", lock: true },
  { enc: "0F B1", name: "cmpxchg", args: "Ev,Gv", lock: true },
  // 8 bytes of memory, 16 with REX.W (CMPXCHG16B).
  { enc: "0F C7 /1", name: "cmpxchg8b", args: "M", lock: true, feature: "cx8" },
  ...CONDITIONS.map((cc): OpRow => ({ enc: `0F ${hex(0x40 + cc)}`, name: "cmovcc", args: "Gv,Ev", feature: "cmov" })),
  ...CONDITIONS.map((cc): OpRow => ({ enc: `0F ${hex(0x90 + cc)}`, name: "setcc", args: "Eb", size: "b" })),
  { enc: "D7", name: "xlat", args: "" },

  // ---- stack
  { enc: "50+r", name: "push", args: "Zv", size: "d64" },
  { enc: "68", name: "push", args: "Iz", size: "d64" },
  { enc: "6A", name: "push", args: "Ibs", size: "d64" },
  { enc: "FF /6", name: "push", args: "Ev", size: "d64" },
  { enc: "58+r", name: "pop", args: "Zv", size: "d64" },
  { enc: "8F /0", name: "pop", args: "Ev", size: "d64" },
  { enc: "9C", name: "pushf", args: "", size: "d64" },
  { enc: "9D", name: "popf", args: "", size: "d64" },
  { enc: "C8", name: "enter", args: "Iw,Ib", size: "d64" },
  { enc: "C9", name: "leave", args: "", size: "d64" },

  // ---- control flow (near branches ignore 66, as Intel processors do)
  ...CONDITIONS.map((cc): OpRow => ({ enc: hex(0x70 + cc), name: "jcc", args: "Jb", size: "f64" })),
  ...CONDITIONS.map((cc): OpRow => ({ enc: `0F ${hex(0x80 + cc)}`, name: "jcc", args: "Jz", size: "f64" })),
  { enc: "EB", name: "jmp", args: "Jb", size: "f64" },
  { enc: "E9", name: "jmp", args: "Jz", size: "f64" },
  { enc: "FF /4", name: "jmp", args: "Ev", size: "f64" },
  { enc: "E8", name: "call", args: "Jz", size: "f64" },
  { enc: "FF /2", name: "call", args: "Ev", size: "f64" },
  { enc: "C3", name: "ret", args: "", size: "f64" },
  { enc: "C2", name: "ret", args: "Iw", size: "f64" },
  { enc: "E0", name: "loopne", args: "Jb", size: "f64" },
  { enc: "E1", name: "loope", args: "Jb", size: "f64" },
  { enc: "E2", name: "loop", args: "Jb", size: "f64" },
  { enc: "E3", name: "jrcxz", args: "Jb", size: "f64" },

  // ---- strings: no operands; element size = operand size
  { enc: "A4", name: "movs", args: "", size: "b", rep: "rep" },
  { enc: "A5", name: "movs", args: "", rep: "rep" },
  { enc: "A6", name: "cmps", args: "", size: "b", rep: "repcc" },
  { enc: "A7", name: "cmps", args: "", rep: "repcc" },
  { enc: "AA", name: "stos", args: "", size: "b", rep: "rep" },
  { enc: "AB", name: "stos", args: "", rep: "rep" },
  { enc: "AC", name: "lods", args: "", size: "b", rep: "rep" },
  { enc: "AD", name: "lods", args: "", rep: "rep" },
  { enc: "AE", name: "scas", args: "", size: "b", rep: "repcc" },
  { enc: "AF", name: "scas", args: "", rep: "repcc" },

  // ---- flags
  { enc: "9E", name: "sahf", args: "", feature: "lahf_lm" },
  { enc: "9F", name: "lahf", args: "", feature: "lahf_lm" },
  { enc: "F5", name: "cmc", args: "" },
  { enc: "F8", name: "clc", args: "" },
  { enc: "F9", name: "stc", args: "" },
  { enc: "FC", name: "cld", args: "" },
  { enc: "FD", name: "std", args: "" },

  ...BMI_ROWS,

  // ---- nothing
  { enc: "90", name: "nop", args: "" },
  { enc: "F3 90", name: "pause", args: "" },
  { enc: "F3 0F 1E FA", name: "endbr64", args: "" },
  { enc: "F3 0F 1E FB", name: "endbr32", args: "" },
  // Hint space: an address is computed but never accessed.
  ...[0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map((op): OpRow => ({ enc: `0F ${hex(op)}`, name: "nop", args: "Ev" })),
];
