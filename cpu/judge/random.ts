/** Repeatable random numbers and the operand values that arithmetic likes to get wrong. */

/** xorshift128 (Marsaglia 2003), seeded through a multiplicative hash so that neighbouring seeds differ. */
export class Random {
  #x: number;
  #y: number;
  #z: number;
  #w: number;

  constructor(seed: number, stream = 0) {
    let s = (Math.imul(seed, 0x9e37_79b1) ^ Math.imul(stream + 1, 0x85eb_ca6b)) | 0;
    const next = () => {
      s = Math.imul(s ^ (s >>> 15), 0x2c1b_3c6d) + 0x6d2b_79f5 | 0;
      return s ^ (s >>> 13);
    };
    [this.#x, this.#y, this.#z, this.#w] = [next(), next(), next(), next() | 1];
    for (let n = 0; n < 8; n++) this.u32();
  }
  u32(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w ^= (this.#w >>> 19) ^ t ^ (t >>> 8);
    return this.#w >>> 0;
  }
  /** 0 .. n-1. */
  below(n: number): number {
    return this.u32() % n;
  }
  /** True in `percent` of 100 calls. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
  u64(): bigint {
    return BigInt(this.u32()) << 32n | BigInt(this.u32());
  }
  bytes(n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = this.u32() >>> 8;
    return out;
  }
}

const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 15n, 16n, 31n, 32n, 33n, 63n, 64n, 65n, 127n, 128n, 255n, 256n],
  ...[0x7fffn, 0x8000n, 0xffffn, 0x1_0000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ...[0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_fffen, 0x0101_0101_0101_0101n],
  ...[
    0xffff_ffff_8000_0000n,
    0xffff_ffff_7fff_ffffn,
    0x5555_5555_5555_5555n,
    0xaaaa_aaaa_aaaa_aaaan,
    0x80n << 56n,
    0x8080_8080_8080_8080n,
  ],
];

/** Signs, exponents and fractions of the interesting doubles: zero, denormal, one, huge, infinite, quiet and signalling NaN. */
const DOUBLES: readonly bigint[] = [
  ...[
    0n,
    1n,
    0x000f_ffff_ffff_ffffn,
    0x0010_0000_0000_0000n,
    0x3ff0_0000_0000_0000n,
    0x3ff0_0000_0000_0001n,
    0x4000_0000_0000_0000n,
  ],
  ...[0x3fe0_0000_0000_0000n, 0x4340_0000_0000_0000n, 0x43e0_0000_0000_0000n, 0x41df_ffff_ffc0_0000n, 0x41e0_0000_0000_0000n],
  ...[
    0x7fef_ffff_ffff_ffffn,
    0x7ff0_0000_0000_0000n,
    0x7ff8_0000_0000_0000n,
    0x7ff8_0000_dead_beefn,
    0x7ff0_0000_0000_0001n,
    0x7ff4_0000_0000_1234n,
  ],
  ...[0x380f_ffff_ffff_ffffn, 0x36a0_0000_0000_0000n, 0x47ef_ffff_f000_0000n, 0x4037_8000_0000_0000n, 0x4004_0000_0000_0000n],
];
const FLOATS: readonly number[] = [
  ...[0, 1, 0x7f_ffff, 0x80_0000, 0x3f80_0000, 0x3f80_0001, 0x4000_0000, 0x3f00_0000, 0x4b00_0000, 0x4f00_0000, 0x5f00_0000],
  ...[0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000, 0x7fc0_beef, 0x7f80_0001, 0x7fa0_1234, 0x40a0_0000, 0x4020_0000, 0x3fc0_0000],
];

/** What a value is made for. */
export type Pool = "int" | "f32" | "f64";

/** 64 bits: an edge value, a small number, or anything. */
export function integer(r: Random): bigint {
  switch (r.below(4)) {
    case 0:
      return r.pick(EDGES);
    case 1: {
      const small = BigInt(r.below(300)) - 150n;
      return BigInt.asUintN(64, small);
    }
    case 2:
      return r.u64() >> BigInt(r.below(64));
    default:
      return r.u64();
  }
}

function double(r: Random): bigint {
  const kind = r.below(8);
  if (kind < 4) return r.pick(DOUBLES) | (r.chance(30) ? 1n << 63n : 0n);
  if (kind < 6) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, (r.below(2000) - 1000) / (r.chance(50) ? 1 : 16));
    return view.getBigUint64(0);
  }
  // A moderate exponent, any fraction.
  if (kind === 6) return (r.u64() & 0x800f_ffff_ffff_ffffn) | BigInt(1023 - 40 + r.below(80)) << 52n;
  return r.u64();
}

function float(r: Random): number {
  const kind = r.below(8);
  if (kind < 4) return (r.pick(FLOATS) | (r.chance(30) ? 0x8000_0000 : 0)) >>> 0;
  if (kind < 6) {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, (r.below(2000) - 1000) / (r.chance(50) ? 1 : 16));
    return view.getUint32(0);
  }
  if (kind === 6) return ((r.u32() & 0x807f_ffff) | (127 - 20 + r.below(40)) << 23) >>> 0;
  return r.u32();
}

/** `bytes` of memory or vector register content. */
export function content(r: Random, pool: Pool, bytes: number): Uint8Array {
  const out = new Uint8Array((bytes + 7) & ~7);
  const view = new DataView(out.buffer);
  for (let at = 0; at < out.length; at += 8) {
    if (pool === "f64") view.setBigUint64(at, double(r), true);
    else if (pool === "f32") {
      view.setUint32(at, float(r), true);
      view.setUint32(at + 4, float(r), true);
    } else if (r.chance(50)) view.setBigUint64(at, integer(r), true);
    else out.set(r.bytes(8), at);
  }
  return out.subarray(0, bytes);
}
