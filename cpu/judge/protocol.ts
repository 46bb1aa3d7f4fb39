/**
 * Cases and results of the judge, and how they travel to and from the native harness (native/judge.c). All numbers little endian.
 *
 * ```
 * case                                        result
 *   0 u32 size in bytes, this field included    0 u32 size
 *   4 u32 flags: 1 = floating-point state       4 u32 flags of the case
 *   8 u32 offset of the code in the image       8 u32 vector of the exception that ended it (0xff: it ran too long)
 *  12 u32 code bytes                           12 u32 error code
 *  16 u32 bytes of all pokes                   16 u64 CR2
 *  20 u32 address of the first instruction     24 u64 GPRs, Intel numbering
 *  24 u64 GPRs, Intel numbering               152 u64 RIP
 * 152 u64 RFLAGS                              160 u64 RFLAGS
 * 160 u64 FS base                             168 u64 FS base
 * 168 u64 GS base                             176 u64 GS base
 * 176 [FXSAVE image 512, YMM high halves 256] 184 [FXSAVE image 512, YMM high halves 256]
 *     code, pokes (u32 offset, u32 length,        words that differ from the baseline:
 *     bytes), each padded to 8 bytes              u32 image offset, u32 0, u64 value
 * ```
 */

export const PAGE = 4096;

/** One piece of guest memory; `first` is its offset in the image, all in bytes. */
export interface Area {
  address: number;
  first: number;
  bytes: number;
  write: boolean;
  execute: boolean;
}
/** The neighbours of each area are unmapped. */
export const CODE: Area = { address: 0x1000_0000, first: 0, bytes: 2 * PAGE, write: false, execute: true };
export const DATA: Area = { address: 0x2000_0000, first: 2 * PAGE, bytes: 2 * PAGE, write: true, execute: false };
export const READ_ONLY: Area = { address: 0x2000_4000, first: 4 * PAGE, bytes: PAGE, write: false, execute: false };
export const STACK: Area = { address: 0x3000_0000, first: 5 * PAGE, bytes: PAGE, write: true, execute: false };
/** Code that changes itself. */
export const WRITABLE_CODE: Area = { address: 0x4000_0000, first: 6 * PAGE, bytes: 2 * PAGE, write: true, execute: true };
export const AREAS: readonly Area[] = [CODE, DATA, READ_ONLY, STACK, WRITABLE_CODE];
export const IMAGE_BYTES = 8 * PAGE;

export const FX_BYTES = 512;
export const FP_BYTES = FX_BYTES + 256;
/** "Vector" of a case that did not end. */
export const TIMEOUT = 0xff;

export interface Poke {
  /** In the image. */
  offset: number;
  bytes: Uint8Array;
}

export interface Case {
  /** What to print to repeat it. */
  id: string;
  /** Offset of `code` in the image. */
  codeOffset: number;
  /** Address of the first instruction. */
  entry: number;
  code: Uint8Array;
  gpr: BigUint64Array;
  rflags: number;
  fs: bigint;
  gs: bigint;
  /** FXSAVE image and upper YMM halves; undefined = initial state, not reported. */
  fp: Uint8Array | undefined;
  pokes: Poke[];
  /** The instruction stores MXCSR: its sticky flags must be right even where they are not compared. */
  showsFlags?: boolean;
}

export interface Result {
  vector: number;
  error: number;
  cr2: bigint;
  gpr: BigUint64Array;
  rip: bigint;
  rflags: number;
  fs: bigint;
  gs: bigint;
  fp: Uint8Array | undefined;
  /** Words of the image that differ from the baseline, ascending. */
  offsets: number[];
  words: bigint[];
}

const CASE_HEAD = 176, RESULT_HEAD = 184;
const padded = (n: number): number => (n + 7) & ~7;

/** The offset of a guest address in the image, or undefined. */
export function imageOffset(address: number): number | undefined {
  const area = AREAS.find((a) => address >= a.address && address < a.address + a.bytes);
  return area && area.first + address - area.address;
}

/** Bytes of a batch as the harness wants it, length word included. */
export function encodeBatch(cases: readonly Case[]): Uint8Array {
  const size = (c: Case) =>
    CASE_HEAD + (c.fp ? FP_BYTES : 0) + padded(c.code.length) + c.pokes.reduce((sum, p) => sum + 8 + padded(p.bytes.length), 0);
  const sizes = cases.map(size);
  const total = sizes.reduce((a, b) => a + b, 0);
  const out = new Uint8Array(4 + total);
  const view = new DataView(out.buffer);
  view.setUint32(0, total, true);
  let at = 4;
  cases.forEach((c, n) => {
    encodeCase(c, sizes[n], out, view, at);
    at += sizes[n];
  });
  return out;
}

function encodeCase(c: Case, size: number, out: Uint8Array, view: DataView, at: number): void {
  const u32 = (offset: number, value: number) => view.setUint32(at + offset, value, true);
  const u64 = (offset: number, value: bigint) => view.setBigUint64(at + offset, value, true);
  u32(0, size);
  u32(4, c.fp ? 1 : 0);
  u32(8, c.codeOffset);
  u32(12, c.code.length);
  u32(20, c.entry);
  for (let n = 0; n < 16; n++) u64(24 + 8 * n, c.gpr[n]);
  u64(152, BigInt(c.rflags));
  u64(160, c.fs);
  u64(168, c.gs);
  let p = at + CASE_HEAD;
  if (c.fp) {
    out.set(c.fp, p);
    p += FP_BYTES;
  }
  out.set(c.code, p);
  p += padded(c.code.length);
  const pokes = p;
  for (const poke of c.pokes) {
    view.setUint32(p, poke.offset, true);
    view.setUint32(p + 4, poke.bytes.length, true);
    out.set(poke.bytes, p + 8);
    p += 8 + padded(poke.bytes.length);
  }
  u32(16, p - pokes);
}

/** Results of a batch (without its length word). */
export function decodeResults(bytes: Uint8Array): Result[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const results: Result[] = [];
  for (let at = 0; at < bytes.length; at += view.getUint32(at, true)) results.push(decodeResult(bytes, view, at));
  return results;
}

function decodeResult(bytes: Uint8Array, view: DataView, at: number): Result {
  const u64 = (offset: number) => view.getBigUint64(at + offset, true);
  const gpr = new BigUint64Array(16);
  for (let n = 0; n < 16; n++) gpr[n] = u64(24 + 8 * n);
  const hasFp = view.getUint32(at + 4, true) === 1;
  let p = at + RESULT_HEAD;
  const fp = hasFp ? bytes.slice(p, p + FP_BYTES) : undefined;
  if (hasFp) p += FP_BYTES;
  const offsets: number[] = [], words: bigint[] = [];
  for (const end = at + view.getUint32(at, true); p < end; p += 16) {
    offsets.push(view.getUint32(p, true));
    words.push(view.getBigUint64(p + 8, true));
  }
  return {
    vector: view.getUint32(at + 8, true),
    error: view.getUint32(at + 12, true),
    cr2: u64(16),
    gpr,
    rip: u64(152),
    rflags: Number(u64(160) & 0xffff_ffffn),
    fs: u64(168),
    gs: u64(176),
    fp,
    offsets,
    words,
  };
}
