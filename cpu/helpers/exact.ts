/** a * b + c on doubles, exactly rounded to nearest even, by integers of any length. For operands that the fast ways cannot take. */

const view = new DataView(new ArrayBuffer(8));

/** A finite double as integer times a power of two. */
function parts(x: number): { value: bigint; exponent: number } {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0), field = Number((bits >> 52n) & 0x7ffn), fraction = bits & 0xf_ffff_ffff_ffffn;
  const value = field === 0 ? fraction : fraction | 1n << 52n;
  return { value: bits >> 63n ? -value : value, exponent: Math.max(field, 1) - 1075 };
}

/** value * 2^exponent as a double. */
function nearest(value: bigint, exponent: number): number {
  const negative = value < 0n, size = negative ? -value : value, length = size.toString(2).length;
  // Bits below the last one of the result: 53 significant ones, none below 2^-1074.
  const drop = Math.max(length - 53, -1074 - exponent);
  let kept = size, scale = exponent;
  if (drop > 0) {
    kept = size >> BigInt(drop);
    const lost = size - (kept << BigInt(drop)), half = 1n << BigInt(drop - 1);
    if (lost > half || (lost === half && kept & 1n)) kept += 1n;
    scale += drop;
  }
  // In two steps: 2^scale alone may be out of range.
  const magnitude = Number(kept) * 2 ** Math.max(scale, -1000) * 2 ** Math.min(scale + 1000, 0);
  return negative ? -magnitude : magnitude;
}

/** All finite; a and b are not zero. */
export function fmaExact(a: number, b: number, c: number): number {
  const x = parts(a), y = parts(b), z = parts(c);
  const product = x.value * y.value, at = x.exponent + y.exponent;
  const low = Math.min(at, z.exponent);
  const sum = (product << BigInt(at - low)) + (z.value << BigInt(z.exponent - low));
  return sum === 0n ? 0 : nearest(sum, low);
}
