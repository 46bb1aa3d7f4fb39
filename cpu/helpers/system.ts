/** Rare system instructions: segment registers, ENTER, POP to memory, INT n, ports, time stamp, random numbers. */
import {
  AF,
  CF,
  FS_BASE,
  GS_BASE,
  OF,
  PF,
  RIP,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  SF,
  STATE,
  VEC,
  ZF,
} from "../layout.ts";
import type { Insn, Operand } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import {
  addToRegister,
  low,
  pointer,
  RAX,
  RBP,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  segmentBase,
  setField64,
  setRegister,
  unsigned,
} from "./registers.ts";

const TWO32 = 0x1_0000_0000;

// ---- segment registers ------------------------------------------------------------------------------------------------------

/** State field of segment register n (0 ES, 1 CS, 2 SS, 3 DS, 4 FS, 5 GS). */
const SEG_FIELD = [SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS];
/** Index part of the selectors that user code may load: 64-bit code 0x18 and 0x28, flat data 0x20 (Hedron ABI 2.4 and 6.1). */
export const CODE_SELECTORS = [0x18, 0x28], DATA_SELECTOR = 0x20;

/** Loads a segment register as at CPL 3; FS and GS get base 0. Raises #GP(selector). */
export function loadSegment(c: HelperContext, n: number, selector: number): void {
  const index = selector & 0xfffc, isStack = SEG_FIELD[n] === SEG_SS;
  if (isStack) {
    if (selector !== (DATA_SELECTOR | 3)) c.raise(VEC.GP, index);
  } else if (index !== 0 && index !== DATA_SELECTOR && !CODE_SELECTORS.includes(index)) c.raise(VEC.GP, index);
  c.ram.u32[(STATE + SEG_FIELD[n]) >> 2] = selector;
  if (SEG_FIELD[n] === SEG_FS) setField64(c.ram, FS_BASE, 0);
  if (SEG_FIELD[n] === SEG_GS) setField64(c.ram, GS_BASE, 0);
}

const moveSegment: Helper = (c, i) => {
  const [dst, src] = i.ops;
  if (src.kind === "seg") {
    const selector = c.ram.u32[(STATE + SEG_FIELD[src.n]) >> 2];
    if (dst.kind === "mem") c.storeBytes(c.address(dst), new Uint8Array([selector & 0xff, selector >> 8]));
    else if (dst.kind === "reg") setRegister(c.ram, dst.n, i.size, selector);
  } else if (dst.kind === "seg") {
    loadSegment(c, dst.n, src.kind === "mem" ? c.load16(c.address(src)) : src.kind === "reg" ? low(c.ram, src.n) & 0xffff : 0);
  }
};

const popSegment: Helper = (c, i) => {
  const [dst] = i.ops;
  if (dst.kind !== "seg") return;
  const bytes = new Uint8Array(i.size);
  c.loadBytes(pointer(c.ram, RSP), bytes);
  loadSegment(c, dst.n, bytes[0] | bytes[1] << 8);
  addToRegister(c.ram, RSP, i.size, 8);
};

// ---- stack ------------------------------------------------------------------------------------------------------------------

const popMemory: Helper = (c, i) => {
  const [dst] = i.ops;
  if (dst.kind !== "mem") return;
  const value = new Uint8Array(i.size);
  c.loadBytes(pointer(c.ram, RSP), value);
  addToRegister(c.ram, RSP, i.size, 8);
  try {
    c.storeBytes(c.address(dst), value);
  } catch (fault) {
    addToRegister(c.ram, RSP, -i.size, 8);
    throw fault;
  }
};

/** Value of an immediate operand, unsigned. */
const immediate = (op: Operand, mask: number): number => op.kind === "imm" ? Number(BigInt.asUintN(16, op.value)) & mask : 0;

/**
 * Pushes RBP, then `level - 1` frame pointers of the enclosing procedures and its own; reserves space (SDM vol. 2, ENTER). A fault leaves
 * the registers alone, but what was pushed before it stays in memory, as processors do it.
 */
const enter: Helper = (c, i) => {
  const { ram } = c, size = i.size;
  const space = immediate(i.ops[0], 0xffff), level = immediate(i.ops[1], 31);
  const rbp = pointer(ram, RBP), rsp = pointer(ram, RSP), frame = rsp - size;
  const word = ram.u8.slice(STATE + 8 * RBP, STATE + 8 * RBP + size);
  c.storeBytes(frame, word);
  for (let n = 1; n < level; n++) {
    c.loadBytes(rbp - n * size, word);
    c.storeBytes(frame - n * size, word);
  }
  if (level > 0) {
    for (let n = 0; n < size; n++) word[n] = Math.floor(frame / 2 ** (8 * n)) % 256;
    c.storeBytes(frame - level * size, word);
  }
  const pushed = (level + 1) * size;
  // The final stack pointer must be writable, although nothing is stored there.
  c.translate(rsp - pushed - space, size, true);
  setRegister(ram, RBP, size, frame % TWO32, Math.floor(frame / TWO32));
  addToRegister(ram, RSP, -pushed - space, 8);
};

// ---- software interrupts -------------------------------------------------------------------------------------------------------

/** Only the gates of #BP and #OF are open to user mode (Hedron ABI 7.5); the others give #GP with the IDT bit set in the error code. */
const softwareInterrupt: Helper = (c, i) => {
  const n = immediate(i.ops[0], 0xff);
  if (n !== VEC.BP && n !== VEC.OF) c.raise(VEC.GP, n * 8 + 2);
  setField64(c.ram, RIP, i.pc + i.length);
  c.raise(n, 0);
};

// ---- control and debug registers ------------------------------------------------------------------------------------------------

/** Numbers that exist. */
const CONTROL = [0, 2, 3, 4, 8], DEBUG = [0, 1, 2, 3, 4, 5, 6, 7];

/** MOV to or from a control or debug register: #UD for one that does not exist, else #GP. */
const specialRegister = (numbers: readonly number[]): Helper => (c, i) => {
  const op = i.ops[i.row.args.startsWith("R") ? 1 : 0];
  c.raise(op.kind === "reg" && numbers.includes(op.n) ? VEC.GP : VEC.UD, 0);
};

// ---- ports --------------------------------------------------------------------------------------------------------------------

const portBytes = (i: Insn): number => Math.min(i.size, 4);

/** The port number of IN and OUT, checked for permission. */
function port(c: HelperContext, op: Operand | undefined, bytes: number): number {
  const n = op?.kind === "imm" ? immediate(op, 0xff) : low(c.ram, RDX) & 0xffff;
  if (!c.hooks.portAllowed(n, bytes)) c.raise(VEC.GP, 0);
  return n;
}

const portIn: Helper = (c, i) => {
  const bytes = portBytes(i), n = port(c, i.ops[1], bytes);
  setRegister(c.ram, RAX, bytes, c.hooks.portIn(n, bytes));
};

const portOut: Helper = (c, i) => {
  const bytes = portBytes(i), n = port(c, i.ops[0], bytes), value = low(c.ram, RAX);
  c.hooks.portOut(n, bytes, bytes === 4 ? value : value & (bytes === 2 ? 0xffff : 0xff));
};

const direction = (c: HelperContext, bytes: number): number => c.getFlags() & 0x400 ? -bytes : bytes;

/** One element per call: device access is slow anyway, and so every element is a point to be interrupted at. */
function portString(c: HelperContext, i: Insn, register: number, move: (n: number, va: number, bytes: number) => void): void {
  const { ram } = c, bytes = portBytes(i), wide = i.addressSize === 8;
  const counter = wide ? unsigned(ram, RCX) : low(ram, RCX), n = port(c, undefined, bytes);
  if (i.rep && counter === 0) return;
  const base = register === RDI ? 0 : segmentBase(ram, i.seg);
  move(n, base + (wide ? pointer(ram, register) : low(ram, register)), bytes);
  addToRegister(ram, register, direction(c, bytes), i.addressSize);
  if (!i.rep) return;
  addToRegister(ram, RCX, -1, i.addressSize);
  if (counter > 1) c.repeat();
}

const ins: Helper = (c, i) =>
  portString(c, i, RDI, (n, va, bytes) => {
    // The page must be writable before the device is touched.
    for (let b = 0; b < bytes; b++) c.translate(va + b, 1, true);
    const value = c.hooks.portIn(n, bytes);
    c.storeBytes(va, Uint8Array.from({ length: bytes }, (_, b) => (value >>> (8 * b)) & 0xff));
  });

const outs: Helper = (c, i) =>
  portString(c, i, RSI, (n, va, bytes) => {
    c.hooks.portOut(n, bytes, bytes === 1 ? c.load8(va) : bytes === 2 ? c.load16(va) : c.load32(va));
  });

// ---- time and randomness -----------------------------------------------------------------------------------------------------

const timeStamp: Helper = (c) => {
  const now = c.hooks.tsc();
  setRegister(c.ram, RAX, 4, now % TWO32);
  setRegister(c.ram, RDX, 4, Math.floor(now / TWO32));
};

/** RDRAND and RDSEED always succeed: C = 1, the other arithmetic flags 0. */
const random: Helper = (c, i) => {
  const [dst] = i.ops;
  if (dst.kind !== "reg") return;
  const bytes = new Uint8Array(8);
  c.hooks.random(bytes);
  const [lo, hi] = new Uint32Array(bytes.buffer);
  setRegister(c.ram, dst.n, i.size, lo, hi);
  c.setFlags((c.getFlags() & ~(OF | SF | ZF | AF | PF)) | CF);
};

export const SYSTEM_HELPERS: Readonly<Record<string, Helper>> = {
  move_segment: moveSegment,
  pop_segment: popSegment,
  pop_memory: popMemory,
  enter,
  control_register: specialRegister(CONTROL),
  debug_register: specialRegister(DEBUG),
  int_n: softwareInterrupt,
  port_in: portIn,
  port_out: portOut,
  ins,
  outs,
  rdtsc: timeStamp,
  rdtscp: (c, i) => {
    timeStamp(c, i);
    // IA32_TSC_AUX keeps its reset value (Hedron ABI 2.6).
    setRegister(c.ram, RCX, 4, 0);
  },
  random,
};
