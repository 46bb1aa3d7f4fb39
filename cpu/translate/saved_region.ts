/** A region as it is kept between runs, and its binary form. */
import { GENERATED_IMPORTS } from "../runtime.ts";
import { Bytes, Reader } from "../wasm/bytes.ts";
import type { Body } from "../wasm/func_builder.ts";

/** An extent that a region relies on; see extents.ts and shared_extents.ts. */
export interface SavedExtent {
  readonly start: number;
  readonly end: number;
  /** Physical minus virtual address. */
  readonly delta: number;
  readonly writable: boolean;
  readonly cell: number;
  /** An address that was inside when it was made. */
  readonly anchor: number;
}

/** What a region was made from, what it relies on, and its code. Addresses are virtual. */
export interface SavedRegion {
  readonly pc: number;
  readonly slot: number;
  readonly insns: number;
  /** Where its instructions are, and a hash of their bytes. */
  readonly code: readonly (readonly [from: number, to: number])[];
  readonly hash: readonly [number, number];
  readonly extents: readonly SavedExtent[];
  /** Instructions that rely on an extent, and its position in `extents`. */
  readonly sites: readonly (readonly [pc: number, extent: number])[];
  /** Nodes beside the entry, instructions that check MXCSR's mode, exits to cold code. */
  readonly interior: readonly number[];
  readonly modeChecks: readonly number[];
  readonly opens: readonly number[];
  /** Names of instructions for `region_helper`, and where these are. */
  readonly ids: readonly (readonly [id: number, pc: number])[];
  readonly body: Body;
}

/** By number, from 1 on. */
const NAMES = ["", ...GENERATED_IMPORTS.map(({ name }) => name)];
const NUMBERS = new Map(NAMES.map((name, n) => [name, n]));

export function encodeRegion(r: SavedRegion): Uint8Array<ArrayBuffer> {
  const b = new Bytes(r.body.bytes.length + 1024);
  b.u64(r.pc);
  for (const n of [r.slot, r.insns, ...r.hash]) b.u32(n);
  list(b, r.code, ([from, to]) => pair(b, from, to));
  list(b, r.extents, (e) => {
    pair(b, e.start, e.end);
    b.s64(e.delta);
    b.byte(e.writable ? 1 : 0);
    b.u32(e.cell);
    b.u64(e.anchor);
  });
  list(b, r.sites, ([pc, extent]) => {
    b.u64(pc);
    b.u32(extent);
  });
  for (const addresses of [r.interior, r.modeChecks, r.opens]) list(b, addresses, (a) => b.u64(a));
  list(b, r.ids, ([id, pc]) => {
    b.u32(id);
    b.u64(pc);
  });
  encodeBody(b, r.body);
  return b.view();
}
export function encodeBody(b: Bytes, { hints, calls, bytes, substituted }: Body): void {
  b.byte(substituted ? 1 : 0);
  list(b, hints, (hint) => b.u32(hint));
  list(b, calls, ([at, name]) => {
    b.u32(at);
    b.u32(NUMBERS.get(name) ?? 0);
  });
  b.u32(bytes.length);
  b.bytes(bytes);
}
export function decodeBody(r: Reader): Body {
  return {
    substituted: r.byte() !== 0,
    hints: r.list(() => r.u32()),
    calls: r.list((): [number, string] => [r.u32(), NAMES[r.u32()]]),
    bytes: r.take(r.u32()),
  };
}

/** Of bytes that `encodeRegion` has made; throws a RangeError for what cannot be. */
export function decodeRegion(bytes: Uint8Array): SavedRegion {
  const r = new Reader(bytes), address = () => r.u64(), two = (): [number, number] => [r.u64(), r.u64()];
  return {
    pc: r.u64(),
    slot: r.u32(),
    insns: r.u32(),
    hash: [r.u32(), r.u32()],
    code: r.list(two),
    extents: r.list(() => {
      const [start, end] = two();
      return { start, end, delta: r.s64(), writable: r.byte() !== 0, cell: r.u32(), anchor: r.u64() };
    }),
    sites: r.list((): [number, number] => [r.u64(), r.u32()]),
    interior: r.list(address),
    modeChecks: r.list(address),
    opens: r.list(address),
    ids: r.list((): [number, number] => [r.u32(), r.u64()]),
    body: decodeBody(r),
  };
}

function list<T>(b: Bytes, all: readonly T[], write: (item: T) => void): void {
  b.u32(all.length);
  for (const item of all) write(item);
}
function pair(b: Bytes, from: number, to: number): void {
  b.u64(from);
  b.u64(to);
}

/** A hash of bytes, 64 bits in two halves: two multiplicative hashes with different constants. Finds accidents, not forgeries. */
export function hashOf(pieces: Iterable<Uint8Array>): [number, number] {
  let a = 0x811c9dc5, b = 0x9e3779b9;
  for (const bytes of pieces) {
    for (let n = 0; n < bytes.length; n++) {
      a = Math.imul(a ^ bytes[n], 0x0100_0193);
      b = Math.imul(b + bytes[n] ^ b >>> 15, 0x85eb_ca6b);
    }
    a ^= bytes.length;
  }
  return [a >>> 0, b >>> 0];
}
