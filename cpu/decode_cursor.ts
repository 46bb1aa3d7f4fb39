/** The first half of decoding: reading position, prefixes and opcode (Intel SDM vol. 2, 2.1 to 2.3). */
import { VEX_MAP } from "./decode_encoding.ts";
import type { MemOperand } from "./insn.ts";

export const REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1;

const enum Prefix {
  None,
  Rex,
  OpSize,
  AddrSize,
  Lock,
  RepNe,
  Rep,
  Fs,
  Gs,
  /** CS, DS, ES, SS: ignored. */
  Segment,
}
const PREFIXES = new Uint8Array(256);
for (let b = 0x40; b < 0x50; b++) PREFIXES[b] = Prefix.Rex;
for (const b of [0x26, 0x2e, 0x36, 0x3e]) PREFIXES[b] = Prefix.Segment;
PREFIXES[0x66] = Prefix.OpSize;
PREFIXES[0x67] = Prefix.AddrSize;
PREFIXES[0xf0] = Prefix.Lock;
PREFIXES[0xf2] = Prefix.RepNe;
PREFIXES[0xf3] = Prefix.Rep;
PREFIXES[0x64] = Prefix.Fs;
PREFIXES[0x65] = Prefix.Gs;

const SMALL = Array.from({ length: 512 }, (_, n) => BigInt(n - 256));
/** Small numbers are shared: making a bigint costs more than decoding a prefix. */
export const big = (n: number): bigint => n >= -256 && n < 256 ? SMALL[n + 256] : BigInt(n);

export const TWO32 = 2 ** 32;

const NOTHING = new Uint8Array(0);

/** Reading position and everything seen so far of one instruction. Bytes that are not available read as 0; `finish` notices. */
export class Cursor {
  p = 0;
  rex = 0;
  opSize = false;
  addressSize: 4 | 8 = 8;
  lock = false;
  /** 0, 0xf2 or 0xf3. */
  rep = 0;
  seg: "fs" | "gs" | undefined = undefined;
  vvvv = 0;
  vexL = false;
  map = 0;
  opcode = 0;
  modrm = 0;
  size = 0;
  mem: MemOperand | undefined = undefined;
  /** The SIB byte, -1 = none. */
  sib = -1;

  start = 0;
  end = 0;
  bytes: Uint8Array = NOTHING;

  /** Begins with the instruction at `start`. A decoder uses one cursor again and again. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.p = this.start = start;
    this.end = end;
    this.rex =
      this.rep =
      this.vvvv =
      this.map =
      this.opcode =
      this.modrm =
      this.size =
        0;
    this.opSize = this.lock = this.vexL = false;
    this.addressSize = 8;
    this.seg = undefined;
    this.mem = undefined;
    this.sib = -1;
  }
  u8(): number {
    const { p } = this;
    this.p = p + 1;
    return p < this.end ? this.bytes[p] : 0;
  }
  u16(): number {
    const low = this.u8();
    return low | this.u8() << 8;
  }
  s32(): number {
    const low = this.u16();
    return low | this.u16() << 16;
  }
  s64(): bigint {
    const low = this.s32() >>> 0;
    const high = this.s32();
    // Exact as a double when the high half is small.
    return high === 0 ? big(low) : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  }
}

/** Prefixes up to and including the opcode. False: invalid. */
export function readOpcode(c: Cursor): boolean {
  let byte: number;
  for (;;) {
    byte = c.u8();
    const prefix = PREFIXES[byte];
    if (prefix === Prefix.None) break;
    if (prefix === Prefix.Rex) {
      c.rex = byte;
      continue;
    }
    c.rex = 0;
    if (prefix === Prefix.OpSize) c.opSize = true;
    else if (prefix === Prefix.AddrSize) c.addressSize = 4;
    else if (prefix === Prefix.Lock) c.lock = true;
    else if (prefix === Prefix.Fs) c.seg = "fs";
    else if (prefix === Prefix.Gs) c.seg = "gs";
    else if (prefix !== Prefix.Segment) c.rep = byte;
  }
  if (byte === 0x0f) {
    byte = c.u8();
    c.map = 1;
    if (byte === 0x38 || byte === 0x3a) {
      c.map = byte === 0x38 ? 2 : 3;
      byte = c.u8();
    }
  } else if (byte === 0xc4 || byte === 0xc5) {
    return readVex(c, byte);
  }
  c.opcode = byte;
  return true;
}

/** VEX prefix (SDM vol. 2, 2.3.5), up to and including the opcode. */
function readVex(c: Cursor, first: number): boolean {
  if (c.rex !== 0) {
    c.opcode = first;
    return false;
  }
  const b1 = c.u8();
  const illegal = c.opSize || c.rep !== 0 || c.lock;
  let last = b1;
  let map = 1;
  c.rex = b1 & 0x80 ? 0x40 : 0x40 | REX_R;
  if (first === 0xc4) {
    last = c.u8();
    map = b1 & 0x1f;
    if ((b1 & 0x40) === 0) c.rex |= REX_X;
    if ((b1 & 0x20) === 0) c.rex |= REX_B;
    if ((last & 0x80) !== 0) c.rex |= REX_W;
  }
  c.vvvv = ~(last >> 3) & 15;
  c.vexL = (last & 4) !== 0;
  const pp = last & 3;
  c.opSize = pp === 1;
  c.rep = pp === 2 ? 0xf3 : pp === 3 ? 0xf2 : 0;
  c.opcode = c.u8();
  c.map = VEX_MAP + map;
  return !illegal && map >= 1 && map <= 3;
}
