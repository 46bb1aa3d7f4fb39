/** /proc/cpuinfo: what CPUID says, in Linux's words (proc(5); names of features: arch/x86/include/asm/cpufeatures.h). */
import { cpuid } from "../../cpu/helpers/cpuid.ts";
import type { CpuLevel } from "../../cpu/level.ts";

type Register = "eax" | "ebx" | "ecx" | "edx";
const EXTENDED = 0x8000_0001, POWER = 0x8000_0007, ADDRESSES = 0x8000_0008, BRAND = 0x8000_0002;

/** [leaf, subleaf, register, names by bit], in the order in which Linux lists them. */
export const CPU_FLAGS: readonly (readonly [number, number, Register, Readonly<Record<number, string>>])[] = [
  [1, 0, "edx", {
    0: "fpu",
    2: "de",
    3: "pse",
    4: "tsc",
    5: "msr",
    6: "pae",
    8: "cx8",
    13: "pge",
    15: "cmov",
    16: "pat",
    19: "clflush",
    23: "mmx",
    24: "fxsr",
    25: "sse",
    26: "sse2",
  }],
  [EXTENDED, 0, "edx", { 11: "syscall", 20: "nx", 27: "rdtscp", 29: "lm" }],
  [POWER, 0, "edx", { 8: "constant_tsc nopl nonstop_tsc cpuid" }],
  [1, 0, "ecx", {
    0: "pni",
    1: "pclmulqdq",
    9: "ssse3",
    12: "fma",
    13: "cx16",
    19: "sse4_1",
    20: "sse4_2",
    22: "movbe",
    23: "popcnt",
    25: "aes",
    26: "xsave",
    28: "avx",
    29: "f16c",
    30: "rdrand",
    31: "hypervisor",
  }],
  [EXTENDED, 0, "ecx", { 0: "lahf_lm", 5: "abm", 8: "3dnowprefetch" }],
  [7, 0, "ebx", {
    0: "fsgsbase",
    3: "bmi1",
    5: "avx2",
    8: "bmi2",
    9: "erms",
    18: "rdseed",
    19: "adx",
    23: "clflushopt",
    24: "clwb",
    29: "sha_ni",
  }],
  [0xd, 1, "eax", { 0: "xsaveopt", 1: "xsavec" }],
  [7, 0, "ecx", { 9: "vaes", 10: "vpclmulqdq", 22: "rdpid" }],
  [7, 0, "edx", { 4: "fsrm" }],
];

const word = (leaf: number, subleaf: number, register: Register, level: CpuLevel): number =>
  cpuid(leaf, subleaf, level)[register] ?? 0;

function flags(level: CpuLevel): string {
  return CPU_FLAGS.flatMap(([leaf, subleaf, register, names]) => {
    const bits = word(leaf, subleaf, register, level);
    return Object.entries(names).filter(([bit]) => (bits >>> Number(bit)) & 1).map(([, name]) => name);
  }).join(" ");
}

/** The text that stands in these registers, up to a zero byte. */
function text(words: readonly number[]): string {
  const bytes = words.flatMap((value) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255));
  return String.fromCharCode(...bytes).replace(/\0.*$/s, "");
}

export function cpuinfo(level: CpuLevel = "v3"): string {
  const signature = word(1, 0, "eax", level), line = (word(1, 0, "ebx", level) >>> 8 & 255) * 8;
  const vendor = text((["ebx", "edx", "ecx"] as const).map((register) => word(0, 0, register, level)));
  const brand = text([0, 1, 2].flatMap((n) => (["eax", "ebx", "ecx", "edx"] as const).map((r) => word(BRAND + n, 0, r, level))));
  const megahertz = word(0x16, 0, "eax", level), addresses = word(ADDRESSES, 0, "eax", level);
  return [
    "processor\t: 0",
    `vendor_id\t: ${vendor}`,
    `cpu family\t: ${signature >>> 8 & 15}`,
    `model\t\t: ${(signature >>> 12 & 0xf0) | (signature >>> 4 & 15)}`,
    `model name\t: ${brand}`,
    `stepping\t: ${signature & 15}`,
    `cpu MHz\t\t: ${megahertz.toFixed(3)}`,
    `cache size\t: ${word(0x8000_0006, 0, "ecx", level) >>> 16} KB`,
    "physical id\t: 0",
    "siblings\t: 1",
    "core id\t\t: 0",
    "cpu cores\t: 1",
    "fpu\t\t: yes",
    "wp\t\t: yes",
    `flags\t\t: ${flags(level)}`,
    `bogomips\t: ${(2 * megahertz).toFixed(2)}`,
    `clflush size\t: ${line}`,
    `cache_alignment\t: ${line}`,
    `address sizes\t: ${addresses & 255} bits physical, ${addresses >>> 8 & 255} bits virtual`,
    "",
    "",
  ].join("\n");
}
