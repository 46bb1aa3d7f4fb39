/** System, input/output and processor-control instructions as user mode (CPL 3, IOPL 0) sees them. */
import type { OpRow } from "../insn.ts";

/** Privileged: #GP(0) at CPL 3 before any operand is touched (Intel SDM vol. 3, 5.9). */
const privileged = (enc: string, name: string, args = ""): OpRow => ({ enc, name, args, fault: "gp" });
/** Valid opcodes that raise #UD here because the feature is off or absent, or because that is what they are for. */
const undefinedOp = (enc: string, name: string, args = ""): OpRow => ({ enc, name, args, fault: "ud" });

/** ModRM.rm is ignored. */
const fence = (modrm: number, name: string, feature: string): OpRow[] =>
  Array.from({ length: 8 }, (_, rm) => ({ enc: `NP 0F AE ${(modrm + rm).toString(16).toUpperCase()}`, name, args: "", feature }));

export const SYSTEM_ROWS: readonly OpRow[] = [
  // ---- transfers to the kernel
  { enc: "0F 05", name: "syscall", args: "" },
  { enc: "CC", name: "int3", args: "" },
  { enc: "CD", name: "int", args: "Ib" },
  { enc: "F1", name: "int1", args: "" },
  undefinedOp("0F 0B", "ud2"),
  undefinedOp("0F B9", "ud1", "Gv,Ev"),
  undefinedOp("0F FF", "ud0", "Gv,Ev"),
  undefinedOp("0F 34", "sysenter"),
  undefinedOp("0F 35", "sysexit"),
  undefinedOp("0F 37", "getsec"),
  undefinedOp("0F AA", "rsm"),
  undefinedOp("0F 01 C1", "vmcall"),
  undefinedOp("0F 01 C8", "monitor"),
  undefinedOp("0F 01 C9", "mwait"),
  undefinedOp("0F 01 CA", "clac"),
  undefinedOp("0F 01 CB", "stac"),
  undefinedOp("0F 01 D4", "vmfunc"),
  undefinedOp("0F 01 D9", "vmmcall"),

  // ---- far transfers, between the two 64-bit code segments of user mode
  { enc: "CF", name: "iret", args: "" },
  { enc: "CB", name: "retf", args: "" },
  { enc: "CA", name: "retf", args: "Iw" },
  { enc: "FF /3", name: "callf", args: "M" },
  { enc: "FF /5", name: "jmpf", args: "M" },

  // ---- input and output: permission decides between access and #GP
  { enc: "E4", name: "in", args: "AL,Ib", size: "b" },
  { enc: "E5", name: "in", args: "eAX,Ib" },
  { enc: "EC", name: "in", args: "AL,DX", size: "b" },
  { enc: "ED", name: "in", args: "eAX,DX" },
  { enc: "E6", name: "out", args: "Ib,AL", size: "b" },
  { enc: "E7", name: "out", args: "Ib,eAX" },
  { enc: "EE", name: "out", args: "DX,AL", size: "b" },
  { enc: "EF", name: "out", args: "DX,eAX" },
  { enc: "6C", name: "ins", args: "", size: "b", rep: "rep" },
  { enc: "6D", name: "ins", args: "", rep: "rep" },
  { enc: "6E", name: "outs", args: "", size: "b", rep: "rep" },
  { enc: "6F", name: "outs", args: "", rep: "rep" },

  // ---- identification, time, randomness
  { enc: "0F A2", name: "cpuid", args: "" },
  { enc: "0F 31", name: "rdtsc", args: "", feature: "tsc" },
  { enc: "0F 01 F9", name: "rdtscp", args: "", feature: "rdtscp" },
  { enc: "F3 0F C7 /7", name: "rdpid", args: "Rq", size: "f64", feature: "rdpid" },
  { enc: "NFx 0F C7 /6", name: "rdrand", args: "Rv", feature: "rdrand" },
  { enc: "NFx 0F C7 /7", name: "rdseed", args: "Rv", feature: "rdseed" },

  // ---- segments
  { enc: "F3 0F AE /0", name: "rdfsbase", args: "Ry", feature: "fsgsbase" },
  { enc: "F3 0F AE /1", name: "rdgsbase", args: "Ry", feature: "fsgsbase" },
  { enc: "F3 0F AE /2", name: "wrfsbase", args: "Ry", feature: "fsgsbase" },
  { enc: "F3 0F AE /3", name: "wrgsbase", args: "Ry", feature: "fsgsbase" },
  // Memory forms move 16 bits whatever the operand size; a register destination is zero-extended.
  { enc: "8C", name: "movsreg", args: "Ev,Sw" },
  { enc: "8E", name: "movsreg", args: "Sw,Ew" },
  { enc: "0F A0", name: "pushsreg", args: "FS", size: "d64" },
  { enc: "0F A8", name: "pushsreg", args: "GS", size: "d64" },
  { enc: "0F A1", name: "popsreg", args: "FS", size: "d64" },
  { enc: "0F A9", name: "popsreg", args: "GS", size: "d64" },
  { enc: "0F B2", name: "lss", args: "Gv,M" },
  { enc: "0F B4", name: "lfs", args: "Gv,M" },
  { enc: "0F B5", name: "lgs", args: "Gv,M" },
  { enc: "0F 02", name: "lar", args: "Gv,Ew" },
  { enc: "0F 03", name: "lsl", args: "Gv,Ew" },
  { enc: "0F 00 /4", name: "verr", args: "Ew" },
  { enc: "0F 00 /5", name: "verw", args: "Ew" },

  // ---- readable system state: UMIP is off (Hedron ABI 2.6), so user code may look
  { enc: "0F 00 /0", name: "sldt", args: "Mw" },
  { enc: "0F 00 /0", name: "sldt", args: "Rv" },
  { enc: "0F 00 /1", name: "str", args: "Mw" },
  { enc: "0F 00 /1", name: "str", args: "Rv" },
  { enc: "0F 01 /0", name: "sgdt", args: "M" },
  { enc: "0F 01 /1", name: "sidt", args: "M" },
  { enc: "0F 01 /4", name: "smsw", args: "Mw" },
  { enc: "0F 01 /4", name: "smsw", args: "Rv" },

  // ---- caches and order
  { enc: "0F 0D", name: "prefetchw", args: "M" },
  { enc: "0F 18", name: "prefetch", args: "Ev" },
  { enc: "NP 0F AE /7", name: "clflush", args: "Mb", feature: "clfsh" },
  { enc: "66 0F AE /7", name: "clflushopt", args: "Mb", feature: "clflushopt" },
  { enc: "66 0F AE /6", name: "clwb", args: "Mb", feature: "clwb" },
  ...fence(0xe8, "lfence", "sse2"),
  ...fence(0xf0, "mfence", "sse2"),
  ...fence(0xf8, "sfence", "sse"),
  { enc: "NP 0F AE /2", name: "ldmxcsr", args: "Md", feature: "sse" },
  { enc: "NP 0F AE /3", name: "stmxcsr", args: "Md", feature: "sse" },

  // ---- privileged
  privileged("F4", "hlt"),
  privileged("FA", "cli"),
  privileged("FB", "sti"),
  privileged("0F 06", "clts"),
  privileged("0F 07", "sysret"),
  privileged("0F 08", "invd"),
  privileged("0F 09", "wbinvd"),
  { ...privileged("0F 20", "movcr", "Rq,Gq"), anyMod: true },
  { ...privileged("0F 21", "movdr", "Rq,Gq"), anyMod: true },
  { ...privileged("0F 22", "movcr", "Gq,Rq"), anyMod: true },
  { ...privileged("0F 23", "movdr", "Gq,Rq"), anyMod: true },
  privileged("0F 30", "wrmsr"),
  privileged("0F 32", "rdmsr"),
  privileged("0F 33", "rdpmc"),
  privileged("0F 00 /2", "lldt", "Ew"),
  privileged("0F 00 /3", "ltr", "Ew"),
  privileged("0F 01 /2", "lgdt", "M"),
  privileged("0F 01 /3", "lidt", "M"),
  privileged("0F 01 /6", "lmsw", "Ew"),
  privileged("0F 01 /7", "invlpg", "M"),
  privileged("0F 01 F8", "swapgs"),
  privileged("NP 0F 01 D1", "xsetbv"),
];
