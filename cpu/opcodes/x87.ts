/**
 * x87, FXSAVE/XSAVE and EMMS rows. Source: Intel SDM vol. 2, appendix A.5 (escape opcodes D8..DF).
 *
 * `M..` operands are the memory forms (ModRM.mod != 3), `ST..` operands or a third fixed byte the register forms. Rows with
 * "undocumented" beside them are encodings that processors execute as aliases.
 */
import type { OpRow } from "../insn.ts";

const x87 = (enc: string, name: string, args = "", more: Partial<OpRow> = {}): OpRow => ({
  enc,
  name,
  args,
  size: "fixed",
  ...more,
});

/** Arithmetic by ModRM.reg for "ST0 op= source" (D8, and the integer forms of DA and DE with their names). */
const ARITHMETIC = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"];
/** With destination ST(i) (DC, DE) the pairs sub/subr and div/divr are exchanged (SDM vol. 2, FSUB and FSUBR pages). */
const TO_STI = ["add", "mul", "com", "comp", "subr", "sub", "divr", "div"];
const isCompare = (op: string): boolean => op.startsWith("com");

const arithmetic = (): OpRow[] =>
  ARITHMETIC.flatMap((op, n) => [
    x87(`D8 /${n}`, `f${op}`, "Md"),
    x87(`DC /${n}`, `f${op}`, "Mq"),
    x87(`DA /${n}`, `fi${op}`, "Md"),
    x87(`DE /${n}`, `fi${op}`, "Mw"),
    x87(`D8 /${n}`, `f${op}`, "ST0,STi"),
    // DC /2 and /3 with a register are undocumented: compare ST(0) with ST(i) as D8 does.
    x87(`DC /${n}`, `f${TO_STI[n]}`, isCompare(op) ? "ST0,STi" : "STi,ST0"),
    ...(isCompare(op) ? [] : [x87(`DE /${n}`, `f${TO_STI[n]}p`, "STi,ST0")]),
  ]);

/**
 * Results come from a correctly rounded computation; processors' own approximations may differ from it (and from each other) in the
 * last bit of the significand, so comparison with real hardware allows one unit there.
 */
const APPROXIMATE: Partial<OpRow> = { approximate: true };

export const X87_ROWS: readonly OpRow[] = [
  ...arithmetic(),
  x87("DE D9", "fcompp"),
  x87("DE /2", "fcomp", "ST0,STi"), // undocumented

  // ---- loads, stores, exchange
  x87("D9 /0", "fld", "Md"),
  x87("DD /0", "fld", "Mq"),
  x87("DB /5", "fld", "Mt"),
  x87("D9 /0", "fld", "STi"),
  x87("D9 /2", "fst", "Md"),
  x87("DD /2", "fst", "Mq"),
  x87("DD /2", "fst", "STi"),
  x87("D9 /3", "fstp", "Md"),
  x87("DD /3", "fstp", "Mq"),
  x87("DB /7", "fstp", "Mt"),
  x87("DD /3", "fstp", "STi"),
  x87("D9 /3", "fstpnce", "STi"), // undocumented: FSTP without the stack underflow response
  x87("DF /2", "fstp", "STi"), // undocumented
  x87("DF /3", "fstp", "STi"), // undocumented
  x87("DF /0", "fild", "Mw"),
  x87("DB /0", "fild", "Md"),
  x87("DF /5", "fild", "Mq"),
  x87("DF /1", "fisttp", "Mw"),
  x87("DB /1", "fisttp", "Md"),
  x87("DD /1", "fisttp", "Mq"),
  x87("DF /2", "fist", "Mw"),
  x87("DB /2", "fist", "Md"),
  x87("DF /3", "fistp", "Mw"),
  x87("DB /3", "fistp", "Md"),
  x87("DF /7", "fistp", "Mq"),
  x87("DF /4", "fbld", "Mt"),
  x87("DF /6", "fbstp", "Mt"),
  x87("D9 /1", "fxch", "STi"),
  x87("DD /1", "fxch", "STi"), // undocumented
  x87("DF /1", "fxch", "STi"), // undocumented
  x87("D9 E8", "fld1"),
  x87("D9 E9", "fldl2t"),
  x87("D9 EA", "fldl2e"),
  x87("D9 EB", "fldpi"),
  x87("D9 EC", "fldlg2"),
  x87("D9 ED", "fldln2"),
  x87("D9 EE", "fldz"),
  x87("DA /0", "fcmovb", "ST0,STi"),
  x87("DA /1", "fcmove", "ST0,STi"),
  x87("DA /2", "fcmovbe", "ST0,STi"),
  x87("DA /3", "fcmovu", "ST0,STi"),
  x87("DB /0", "fcmovnb", "ST0,STi"),
  x87("DB /1", "fcmovne", "ST0,STi"),
  x87("DB /2", "fcmovnbe", "ST0,STi"),
  x87("DB /3", "fcmovnu", "ST0,STi"),

  // ---- comparison
  x87("DB /6", "fcomi", "ST0,STi"),
  x87("DF /6", "fcomip", "ST0,STi"),
  x87("DB /5", "fucomi", "ST0,STi"),
  x87("DF /5", "fucomip", "ST0,STi"),
  x87("DD /4", "fucom", "STi"),
  x87("DD /5", "fucomp", "STi"),
  x87("DA E9", "fucompp"),
  x87("D9 E4", "ftst"),
  x87("D9 E5", "fxam"),

  // ---- arithmetic on ST(0)
  x87("D9 E0", "fchs"),
  x87("D9 E1", "fabs"),
  x87("D9 FA", "fsqrt"),
  x87("D9 FC", "frndint"),
  x87("D9 FD", "fscale"),
  x87("D9 F4", "fxtract"),
  x87("D9 F8", "fprem"),
  x87("D9 F5", "fprem1"),
  x87("D9 F0", "f2xm1", "", APPROXIMATE),
  x87("D9 F1", "fyl2x", "", APPROXIMATE),
  x87("D9 F9", "fyl2xp1", "", APPROXIMATE),
  x87("D9 F2", "fptan", "", APPROXIMATE),
  x87("D9 F3", "fpatan", "", APPROXIMATE),
  x87("D9 FE", "fsin", "", APPROXIMATE),
  x87("D9 FF", "fcos", "", APPROXIMATE),
  x87("D9 FB", "fsincos", "", APPROXIMATE),

  // ---- control
  x87("D9 /5", "fldcw", "Mw"),
  x87("D9 /7", "fnstcw", "Mw"),
  x87("DD /7", "fnstsw", "Mw"),
  x87("DF E0", "fnstsw", "AX"),
  // With 66 the 16-bit formats (14 and 94 bytes), so the operand size counts here.
  x87("D9 /4", "fldenv", "M", { size: undefined }),
  x87("D9 /6", "fnstenv", "M", { size: undefined }),
  x87("DD /4", "frstor", "M", { size: undefined }),
  x87("DD /6", "fnsave", "M", { size: undefined }),
  x87("DB E2", "fnclex"),
  x87("DB E3", "fninit"),
  x87("DB E0", "fneni"), // 8087 only, does nothing since
  x87("DB E1", "fndisi"), // 8087 only, does nothing since
  x87("DB E4", "fnsetpm"), // 80287 only, does nothing since
  x87("D9 D0", "fnop"),
  x87("D9 F6", "fdecstp"),
  x87("D9 F7", "fincstp"),
  x87("DD /0", "ffree", "STi"),
  x87("DF /0", "ffreep", "STi"), // undocumented
  x87("9B", "fwait"),

  // ---- state (FXSAVE64 and its like with REX.W)
  { enc: "NP 0F AE /0", name: "fxsave", args: "M" },
  { enc: "NP 0F AE /1", name: "fxrstor", args: "M" },
  { enc: "NP 0F AE /4", name: "xsave", args: "M", feature: "xsave" },
  { enc: "NP 0F AE /5", name: "xrstor", args: "M", feature: "xsave" },
  { enc: "NP 0F AE /6", name: "xsaveopt", args: "M", feature: "xsaveopt" },
  { enc: "NP 0F C7 /4", name: "xsavec", args: "M", feature: "xsavec" },
  { enc: "NP 0F 01 D0", name: "xgetbv", args: "", feature: "xsave" },
  { enc: "NP 0F 77", name: "emms", args: "" },
];
