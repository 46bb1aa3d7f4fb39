/** CPUID: a table made from the opcode rows, so that it tells what is implemented. Source: Intel SDM vol. 2, CPUID. */
import { type CpuLevel, hasFeature } from "../level.ts";
import { ROWS } from "../opcodes/mod.ts";
import type { Helper } from "./api.ts";
import { low, RAX, RBX, RCX, RDX, setRegister } from "./registers.ts";

type Register = "ebx" | "ecx" | "edx" | "eax";
type Leaf = Partial<Record<Register, number>>;

/**
 * [leaf, register, bit, name of the feature in `OpRow.feature`, further row that must exist]. The name "" stands for bits that need no row: system
 * properties of the machine (Hedron ABI 2.6), or what every processor with these rows does.
 */
export const CPUID_BITS: readonly (readonly [number, Register, number, string, string?])[] = [
  [1, "ecx", 0, "sse3"],
  [1, "ecx", 1, "pclmulqdq"],
  [1, "ecx", 9, "ssse3"],
  [1, "ecx", 12, "fma"],
  [1, "ecx", 13, "cx16"], // CMPXCHG16B: the row of CMPXCHG8B
  [1, "ecx", 19, "sse4.1"],
  [1, "ecx", 20, "sse4.2"],
  [1, "ecx", 22, "movbe"],
  [1, "ecx", 23, "popcnt"],
  [1, "ecx", 25, "aes"],
  [1, "ecx", 26, "xsave"],
  [1, "ecx", 27, "xsave"], // OSXSAVE
  [1, "ecx", 28, "avx"],
  [1, "ecx", 29, "f16c"],
  [1, "ecx", 30, "rdrand"],
  [1, "ecx", 31, ""], // hypervisor
  [1, "edx", 0, "", "fld"],
  [1, "edx", 2, ""], // DE
  [1, "edx", 3, ""], // PSE
  [1, "edx", 4, "tsc"],
  [1, "edx", 5, ""], // MSR
  [1, "edx", 6, ""], // PAE
  [1, "edx", 8, "cx8"],
  [1, "edx", 13, ""], // PGE
  [1, "edx", 15, "cmov"],
  [1, "edx", 16, ""], // PAT
  [1, "edx", 19, "clfsh"],
  [1, "edx", 23, "mmx"],
  [1, "edx", 24, "", "fxsave"],
  [1, "edx", 25, "sse"],
  [1, "edx", 26, "sse2"],
  [7, "ebx", 0, "fsgsbase"],
  [7, "ebx", 3, "bmi1", "andn"],
  [7, "ebx", 5, "avx2"],
  [7, "ebx", 8, "bmi2"],
  [7, "ebx", 9, ""], // ERMS: REP MOVSB and STOSB are the fastest copy and fill here
  [7, "ebx", 18, "rdseed"],
  [7, "ebx", 19, "adx"],
  [7, "ebx", 23, "clflushopt"],
  [7, "ebx", 24, "clwb"],
  [7, "ebx", 29, "sha"],
  [7, "ecx", 9, "vaes"],
  [7, "ecx", 10, "vpclmulqdq"],
  [7, "ecx", 22, "rdpid"],
  [7, "edx", 4, ""], // FSRM
  [0x8000_0001, "ecx", 0, "lahf_lm"],
  [0x8000_0001, "ecx", 5, "lzcnt"],
  [0x8000_0001, "ecx", 8, "", "prefetchw"],
  [0x8000_0001, "edx", 11, ""], // SYSCALL
  [0x8000_0001, "edx", 20, ""], // NX
  [0x8000_0001, "edx", 27, "rdtscp"],
  [0x8000_0001, "edx", 29, ""], // long mode
  [0x8000_0007, "edx", 8, ""], // invariant TSC
];

/** The name that CPUID gives to what `row.feature` calls. Every row has semantics (a test asks for it), so what has rows is implemented. */
function implementedFeatures(level: CpuLevel): Set<string> {
  const features = new Set<string>();
  for (const { feature } of ROWS) if (feature !== undefined && hasFeature(level, feature)) features.add(feature);
  if (features.has("cx8") && hasFeature(level, "cx16")) features.add("cx16");
  return features;
}
const hasRow = (name: string): boolean => ROWS.some((row) => row.name === name);

const chars = (text: string, at: number): number =>
  [3, 2, 1, 0].reduce((word, n) => (word << 8) | (text.charCodeAt(at + n) || 0), 0) >>> 0;

/** The brand string of leaves 8000_0002..4. */
const BRAND = "Hedra virtual CPU (x86-64 on WebAssembly)";
/** Known to C libraries, which read caches and features of unknown vendors less well. */
const VENDOR = "GenuineIntel";
const HYPERVISOR = "HedraHedra";
/** Family 6, a model without quirks in common libraries. */
const SIGNATURE = 0x000306c3;
const LINE = 64;

/** Leaf 4: [type 1 data 2 code 3 unified, level, KiB, ways]. The figures are those of a usual processor; software sizes its blocks by them. */
const CACHES = [[1, 1, 32, 8], [2, 1, 32, 8], [3, 2, 1024, 16], [3, 3, 8192, 16]] as const;

/** Bytes of the XSAVE area without and with the AVX component. */
const XSAVE_LEGACY = 576, XSAVE_AVX = 832;

function buildLeaves(level: CpuLevel): Map<string, Leaf> {
  const features = implementedFeatures(level);
  const leaves = new Map<string, Leaf>();
  const put = (leaf: number, subleaf: number | "", values: Leaf) => {
    const key = `${leaf},${subleaf}`;
    leaves.set(key, { ...leaves.get(key), ...values });
  };
  put(0, "", { eax: 0x16, ebx: chars(VENDOR, 0), edx: chars(VENDOR, 4), ecx: chars(VENDOR, 8) });
  put(1, "", { eax: SIGNATURE, ebx: (1 << 16) | (LINE / 8 << 8) });
  put(2, "", { eax: 0x00feff01 });
  CACHES.forEach(([type, level, kib, ways], n) => {
    const sets = kib * 1024 / LINE / ways;
    put(4, n, { eax: type | level << 5 | 1 << 8, ebx: (ways - 1) << 22 | (LINE - 1), ecx: sets - 1 });
  });
  put(7, 0, {});
  put(0xb, 0, { ebx: 1, ecx: 0x100 });
  put(0xb, 1, { ebx: 1, ecx: 0x201 });
  if (features.has("xsave")) {
    const bytes = features.has("avx") ? XSAVE_AVX : XSAVE_LEGACY;
    put(0xd, 0, { eax: features.has("avx") ? 7 : 3, ebx: bytes, ecx: bytes });
    put(0xd, 1, { eax: (features.has("xsaveopt") ? 1 : 0) | (features.has("xsavec") ? 2 : 0), ebx: bytes });
    if (features.has("avx")) put(0xd, 2, { eax: XSAVE_AVX - XSAVE_LEGACY, ebx: XSAVE_LEGACY });
  }
  // TSC = crystal * 1 / 1 at 1 GHz (`CpuHooks.tsc` counts nanoseconds).
  put(0x15, "", { eax: 1, ebx: 1, ecx: 1_000_000_000 });
  put(0x16, "", { eax: 1000, ebx: 1000, ecx: 100 });
  put(0x4000_0000, "", { eax: 0x4000_0000, ebx: chars(HYPERVISOR, 0), ecx: chars(HYPERVISOR, 4), edx: chars(HYPERVISOR, 8) });
  put(0x8000_0000, "", { eax: 0x8000_0008 });
  for (let n = 0; n < 3; n++) {
    const at = 16 * n;
    put(0x8000_0002 + n, "", {
      eax: chars(BRAND, at),
      ebx: chars(BRAND, at + 4),
      ecx: chars(BRAND, at + 8),
      edx: chars(BRAND, at + 12),
    });
  }
  put(0x8000_0006, "", { ecx: LINE | 6 << 12 | 1024 << 16 });
  // 39 physical and 48 virtual address bits.
  put(0x8000_0008, "", { eax: 0x3027 });
  for (const [leaf, register, bit, feature, row] of CPUID_BITS) {
    if ((feature !== "" && !features.has(feature)) || (row !== undefined && !hasRow(row))) continue;
    const key = `${leaf},${leaf === 7 ? 0 : ""}`, old = leaves.get(key) ?? {};
    leaves.set(key, { ...old, [register]: ((old[register] ?? 0) | 1 << bit) >>> 0 });
  }
  return leaves;
}

/** By "leaf,subleaf", the subleaf empty where ECX does not matter; made at the first use of a level. */
const LEAVES = new Map<CpuLevel, ReadonlyMap<string, Leaf>>();

/** What CPUID returns; all zero for leaves that do not exist. */
export function cpuid(leaf: number, subleaf: number, level: CpuLevel = "v3"): Leaf {
  let leaves = LEAVES.get(level);
  if (!leaves) LEAVES.set(level, leaves = buildLeaves(level));
  return leaves.get(`${leaf},`) ?? leaves.get(`${leaf},${subleaf}`) ?? {};
}

const execute: Helper = ({ ram, level }) => {
  const subleaf = low(ram, RCX), { eax = 0, ebx = 0, ecx = 0, edx = 0 } = cpuid(low(ram, RAX), subleaf, level);
  setRegister(ram, RAX, 4, eax);
  setRegister(ram, RBX, 4, ebx);
  setRegister(ram, RCX, 4, ecx);
  setRegister(ram, RDX, 4, edx);
};

export const CPUID_HELPERS: Readonly<Record<string, Helper>> = { cpuid: execute };
