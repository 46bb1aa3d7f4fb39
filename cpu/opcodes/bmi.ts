/** BMI1, BMI2 and ADX: operand size is 4, or 8 with REX.W / VEX.W. */
import type { OpRow } from "../insn.ts";

export const BMI_ROWS: readonly OpRow[] = [
  { enc: "VEX.LZ.NP.0F38 F2", name: "andn", args: "Gy,By,Ey", feature: "bmi1", undef: "ap" },
  { enc: "VEX.LZ.NP.0F38 F3 /1", name: "blsr", args: "By,Ey", feature: "bmi1", undef: "ap" },
  { enc: "VEX.LZ.NP.0F38 F3 /2", name: "blsmsk", args: "By,Ey", feature: "bmi1", undef: "ap" },
  { enc: "VEX.LZ.NP.0F38 F3 /3", name: "blsi", args: "By,Ey", feature: "bmi1", undef: "ap" },
  { enc: "VEX.LZ.NP.0F38 F7", name: "bextr", args: "Gy,Ey,By", feature: "bmi1", undef: "sap" },
  { enc: "VEX.LZ.NP.0F38 F5", name: "bzhi", args: "Gy,Ey,By", feature: "bmi2", undef: "ap" },
  { enc: "VEX.LZ.F3.0F38 F5", name: "pext", args: "Gy,By,Ey", feature: "bmi2" },
  { enc: "VEX.LZ.F2.0F38 F5", name: "pdep", args: "Gy,By,Ey", feature: "bmi2" },
  { enc: "VEX.LZ.F2.0F38 F6", name: "mulx", args: "Gy,By,Ey", feature: "bmi2" },
  { enc: "VEX.LZ.F3.0F38 F7", name: "sarx", args: "Gy,Ey,By", feature: "bmi2" },
  { enc: "VEX.LZ.66.0F38 F7", name: "shlx", args: "Gy,Ey,By", feature: "bmi2" },
  { enc: "VEX.LZ.F2.0F38 F7", name: "shrx", args: "Gy,Ey,By", feature: "bmi2" },
  { enc: "VEX.LZ.F2.0F3A F0", name: "rorx", args: "Gy,Ey,Ib", feature: "bmi2" },
  { enc: "66 0F 38 F6", name: "adcx", args: "Gy,Ey", feature: "adx" },
  { enc: "F3 0F 38 F6", name: "adox", args: "Gy,Ey", feature: "adx" },
];
