import type { Cpu } from "../cpu/api.ts";
import { FS_BASE, GPR, GS_BASE } from "../cpu/layout.ts";
import { MTD } from "./api.ts";
import { FRAME_RFLAGS, FRAME_RIP, FRAME_RSP, sanitizeFlags, setNumber } from "./frame.ts";
import type { Ec } from "./objects.ts";
import { UTCB_DATA } from "./utcb.ts";
import type { Version } from "./version.ts";

/** Offsets in the UTCB of the fields that are not a plain copy from the state block (ABI 4.3). */
export const UTCB_MTD = UTCB_DATA, UTCB_RFLAGS = 0x38, UTCB_QUAL = 0xd8, UTCB_CR2 = 0xe0;

interface MtdRow {
  readonly name: string;
  readonly bit: number;
  /** [UTCB offset, offset in the state block or interrupt frame] of each u64 that moves both ways. */
  readonly words: readonly (readonly [utcb: number, state: number])[];
  readonly inFrame?: true;
}

const gpr = (n: number): number => GPR + 8 * n;

/** MTD bits of ordinary ECs (ABI 7.3), with where the words lie in the UTCB. RFLAGS and QUAL have rules of their own below. */
export const MTD_ROWS: readonly MtdRow[] = [
  { name: "GPR_ACDB", bit: MTD.ACDB, words: [[0x058, gpr(0)], [0x060, gpr(1)], [0x068, gpr(2)], [0x070, gpr(3)]] },
  { name: "GPR_BSD", bit: MTD.BSD, words: [[0x080, gpr(5)], [0x088, gpr(6)], [0x090, gpr(7)]] },
  { name: "RSP", bit: MTD.RSP, words: [[0x078, FRAME_RSP]], inFrame: true },
  { name: "RIP", bit: MTD.RIP, words: [[0x030, FRAME_RIP]], inFrame: true },
  { name: "RFLAGS", bit: MTD.RFLAGS, words: [] },
  { name: "FS_GS", bit: MTD.FS_GS, words: [[0x1d8, FS_BASE], [0x1e8, GS_BASE]] },
  { name: "QUAL", bit: MTD.QUAL, words: [] },
  {
    name: "GPR_R8_R15",
    bit: MTD.R8_R15,
    words: [8, 9, 10, 11, 12, 13, 14, 15].map((n) => [0x098 + 8 * (n - 8), gpr(n)] as const),
  },
  { name: "FPU", bit: MTD.FPU, words: [] },
];

/** Writes the selected state of `ec` into the UTCB of a guest handler; other words keep what was there (stale data, ABI 4.3). */
export function stateToUtcb(cpu: Cpu, version: Version, ec: Ec, utcb: number, mtd: number): void {
  const selected = version.fsGs ? mtd : mtd & ~MTD.FS_GS;
  const u32 = cpu.ram.u32, block = cpu.locate(ec.state);
  for (const row of MTD_ROWS) {
    if ((selected & row.bit) === 0) continue;
    const at = row.inFrame ? ec.frame : block;
    for (const [to, from] of row.words) {
      u32[(utcb + to) >> 2] = u32[(at + from) >> 2];
      u32[(utcb + to + 4) >> 2] = u32[(at + from + 4) >> 2];
    }
  }
  if (mtd & MTD.RFLAGS) setNumber(u32, utcb + UTCB_RFLAGS, u32[(ec.frame + FRAME_RFLAGS) >> 2]);
  if (mtd & MTD.QUAL) {
    setNumber(u32, utcb + UTCB_QUAL, ec.errorCode);
    setNumber(u32, utcb + UTCB_CR2, ec.faultAddress);
  }
  u32[(utcb + UTCB_MTD) >> 2] = mtd;
  u32[(utcb + UTCB_MTD + 4) >> 2] = 0;
  u32[(utcb + version.utcbItems) >> 2] = version.stateItems;
}

/** Applies the state in a guest handler's UTCB that its `mtd` word selects to `ec`. */
export function utcbToState(cpu: Cpu, version: Version, utcb: number, ec: Ec): void {
  const u32 = cpu.ram.u32, block = cpu.locate(ec.state), mtd = u32[(utcb + UTCB_MTD) >> 2];
  const selected = version.fsGs ? mtd : mtd & ~MTD.FS_GS;
  for (const row of MTD_ROWS) {
    if ((selected & row.bit) === 0) continue;
    const at = row.inFrame ? ec.frame : block;
    for (const [from, to] of row.words) {
      u32[(at + to) >> 2] = u32[(utcb + from) >> 2];
      u32[(at + to + 4) >> 2] = u32[(utcb + from + 4) >> 2];
    }
  }
  if (mtd & MTD.RFLAGS) u32[(ec.frame + FRAME_RFLAGS) >> 2] = sanitizeFlags(u32[(utcb + UTCB_RFLAGS) >> 2]);
}
