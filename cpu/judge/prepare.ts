/** Registers and memory that give implied operands of an instruction sensible values, by row name. Part of the cases are left to chance. */
import type { Draft } from "./generate.ts";
import { FX, randomFpState } from "./fp_state.ts";
import { address, u64Bytes } from "./generate.ts";
import { FX_BYTES, STACK } from "./protocol.ts";

interface Preparation {
  /** Bytes of a memory operand whose size is not in its code. */
  bytes?: number;
  registers?(d: Draft): void;
  /** The memory operand lies at `at`. */
  memory?(d: Draft, at: bigint): void;
}

const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const M64 = (1n << 64n) - 1n;

/** Somewhere in the stack page, sometimes at its very ends, rarely anywhere. */
function stackPointer(d: Draft): bigint {
  const p = d.r.below(100);
  if (p < 80) return BigInt(STACK.address + 1024 + 8 * d.r.below(256));
  if (p < 88) return BigInt(STACK.address + 1024 + d.r.below(2048));
  if (p < 92) return BigInt(STACK.address + d.r.below(20));
  if (p < 96) return BigInt(STACK.address + STACK.bytes - d.r.below(20));
  return address(d.r, 8);
}

const stack: Preparation = { registers: (d) => void (d.gpr[RSP] = stackPointer(d)) };

const segment = (d: Draft): bigint => d.insn.seg === "fs" ? d.fs : d.insn.seg === "gs" ? d.gs : 0n;

const strings: Preparation = {
  registers(d) {
    d.gpr[RSI] = address(d.r, d.insn.size) - segment(d) & M64;
    d.gpr[RDI] = address(d.r, d.insn.size);
    if (d.r.chance(25)) d.gpr[RDI] = d.gpr[RSI] + BigInt(d.r.below(33) - 16) & M64;
    if (d.insn.rep !== undefined) d.gpr[RCX] = BigInt(d.r.chance(80) ? d.r.below(40) : d.r.below(3000));
    if (d.insn.addressSize === 4 && d.r.chance(50)) d.gpr[RCX] |= 0x1_0000_0000n;
    // Runs of equal elements, so that REPE and REPNE do not stop at once.
    if (d.r.chance(50)) {
      const fill = new Uint8Array(64).fill(d.r.below(256));
      if (d.r.chance(50)) fill[d.r.below(64)] ^= 1;
      for (const n of [RSI, RDI]) d.poke(d.gpr[n], fill);
      if (d.r.chance(60)) d.gpr[RAX] = BigInt(fill[0]) * 0x0101_0101_0101_0101n;
    }
  },
};

const division: Preparation = {
  registers(d) {
    const kind = d.r.below(4);
    if (kind === 0) return;
    if (d.insn.size === 1) d.gpr[RAX] = BigInt(d.r.below(0x4000)) * (kind === 1 && d.insn.name === "idiv" ? -1n : 1n) & M64;
    else d.gpr[RDX] = kind === 1 && d.insn.name === "idiv" ? M64 : BigInt(d.r.below(4));
  },
};

const bitOffset: Preparation = {
  registers(d) {
    const offset = d.insn.ops[1];
    if (offset.kind === "reg" && d.r.chance(80)) d.gpr[offset.n] = BigInt(d.r.below(1200) - 600) & M64;
  },
};

const branch: Preparation = {
  registers(d) {
    stack.registers!(d);
    const [op] = d.insn.ops;
    if (op.kind === "reg" && d.r.chance(92)) d.gpr[op.n] = d.target();
  },
  memory(d, at) {
    if (d.r.chance(92)) d.poke(at, u64Bytes(d.target()));
  },
};

const counted: Preparation = {
  registers: (d) => void (d.gpr[RCX] = d.r.pick([0n, 1n, 2n, 0x1_0000_0000n, 0x1_0000_0001n, M64])),
};

/** Equal accumulator and destination in half of the cases. */
const exchange: Preparation = {
  registers(d) {
    const [op] = d.insn.ops;
    if (op.kind === "reg" && !op.high && d.r.chance(50)) d.gpr[RAX] = d.gpr[op.n];
  },
  memory(d, at) {
    if (d.r.chance(50)) d.poke(at, u64Bytes(d.gpr[RAX]));
  },
};

const exchangePair: Preparation = {
  memory(d, at) {
    if (d.r.chance(40)) return;
    const wide = d.insn.size === 8;
    const low = wide ? d.gpr[RAX] : (d.gpr[RAX] & 0xffff_ffffn) | d.gpr[RDX] << 32n & M64;
    d.poke(at, u64Bytes(low));
    if (wide) d.poke(at + 8n, u64Bytes(d.gpr[RDX]));
  },
};

const masked: Preparation = { registers: (d) => void (d.gpr[RDI] = address(d.r, 16)) };

/** Indices that stay near the base, and mostly set masks; the rest is left to chance. */
const gather: Preparation = {
  registers(d) {
    const memory = d.insn.ops[1], mask = d.insn.ops[2];
    if (d.fp === undefined || memory.kind !== "mem" || mask.kind !== "xmm" || d.r.chance(15)) return;
    const size = d.insn.name.includes("gatherq") ? 8 : 4, view = new DataView(d.fp.buffer, d.fp.byteOffset);
    for (const half of [FX.XMM, FX_BYTES]) {
      const at = half + 16 * (memory.vector ?? 0);
      for (let n = 0; n < 16; n += size) {
        const index = d.r.below(64) - 32;
        if (size === 8) view.setBigInt64(at + n, BigInt(index), true);
        else view.setInt32(at + n, index, true);
        if (d.r.chance(50)) d.fp[half + 16 * mask.n + n + size - 1] |= 0x80;
      }
    }
  },
};

export const PREPARE: Readonly<Record<string, Preparation>> = {
  movs: strings,
  cmps: strings,
  stos: strings,
  lods: strings,
  scas: strings,
  ins: { registers: (d) => (strings.registers!(d), void (d.gpr[RCX] |= 1n)) },
  outs: { registers: (d) => (strings.registers!(d), void (d.gpr[RCX] |= 1n)) },
  xlat: { registers: (d) => void (d.gpr[RBX] = address(d.r, 1) - (d.gpr[RAX] & 255n) & M64) },
  div: division,
  idiv: division,
  bt: bitOffset,
  bts: bitOffset,
  btr: bitOffset,
  btc: bitOffset,
  push: stack,
  pop: stack,
  pushf: stack,
  pushsreg: stack,
  popf: {
    registers(d) {
      stack.registers!(d);
      // No TF, NT, AC and ID: they would change what follows in the harness.
      d.poke(d.gpr[RSP], u64Bytes(BigInt(0x202 | d.r.u32() & 0xcd5)));
    },
  },
  leave: { registers: (d) => (stack.registers!(d), void (d.gpr[RBP] = stackPointer(d))) },
  enter: { registers: (d) => (stack.registers!(d), void (d.gpr[RBP] = stackPointer(d))) },
  call: branch,
  jmp: branch,
  ret: {
    registers(d) {
      stack.registers!(d);
      if (d.r.chance(92)) d.poke(d.gpr[RSP], u64Bytes(d.target()));
    },
  },
  loop: counted,
  loope: counted,
  loopne: counted,
  jrcxz: counted,
  cmpxchg: exchange,
  cmpxchg8b: exchangePair,
  maskmovq: masked,
  maskmovdqu: masked,
  vmaskmovdqu: masked,
  vpgatherdd: gather,
  vpgatherdq: gather,
  vpgatherqd: gather,
  vpgatherqq: gather,
  vgatherdps: gather,
  vgatherdpd: gather,
  vgatherqps: gather,
  vgatherqpd: gather,
  vldmxcsr: { memory: (d, at) => d.poke(at, Uint8Array.of(0x80, 0x1f, 0, 0)) },
  ldmxcsr: { memory: (d, at) => d.poke(at, Uint8Array.of(0x80, 0x1f, 0, 0)) },
  fxsave: { bytes: 512 },
  fxrstor: {
    bytes: 512,
    memory(d, at) {
      if (d.r.chance(85)) d.poke(at, randomFpState(d.r, { pool: "f64", x87: true, controls: true }).slice(0, 512));
    },
  },
  fldenv: { bytes: 28 },
  fnstenv: { bytes: 28 },
  fnsave: { bytes: 108 },
  frstor: { bytes: 108 },
  cmpxchg16b: { bytes: 16 },
  fldcw: { memory: (d, at) => d.poke(at, Uint8Array.of(0x7f, 3 | d.r.below(4) << 2)) },
};

/** Rows that cannot be compared with a Linux process on real hardware, and why. */
export const SKIPPED: Readonly<Record<string, string>> = {
  syscall: "would reach the host's kernel",
  int: "vectors are the host kernel's",
  cpuid: "tells about the host's processor",
  rdtsc: "differs with every run",
  rdtscp: "differs with every run",
  rdrand: "differs with every run",
  rdseed: "differs with every run",
  rdpid: "tells about the host",
  rdpmc: "permission is the host's choice",
  xsave: "state components are the host's",
  xsavec: "state components are the host's",
  xsaveopt: "state components are the host's",
  xrstor: "state components are the host's",
  movcr: "the register that does not exist decides before the privilege",
  movdr: "the register that does not exist decides before the privilege",
  xgetbv: "tells about the host's processor",
  movsreg: "selectors are the host's",
  popsreg: "selectors are the host's",
  pushsreg: "selectors are the host's",
  lss: "selectors are the host's",
  lfs: "selectors are the host's",
  lgs: "selectors are the host's",
  lar: "descriptors are the host's",
  lsl: "descriptors are the host's",
  verr: "descriptors are the host's",
  verw: "descriptors are the host's",
  sldt: "UMIP is the host's choice",
  str: "UMIP is the host's choice",
  sgdt: "UMIP is the host's choice",
  sidt: "UMIP is the host's choice",
  smsw: "UMIP is the host's choice",
  vmcall: "reaches the host's hypervisor",
  vmmcall: "reaches the host's hypervisor",
  monitor: "depends on the processor's vendor",
  mwait: "depends on the processor's vendor",
  sysenter: "depends on the processor's vendor",
  sysexit: "depends on the processor's vendor",
  iret: "selectors are the host's",
  retf: "selectors are the host's",
  callf: "selectors are the host's",
  jmpf: "selectors are the host's",
  int1: "reported as a debug trap of the host",
  wrfsbase: "non-canonical bases cannot be restored by the harness",
  wrgsbase: "non-canonical bases cannot be restored by the harness",
};
