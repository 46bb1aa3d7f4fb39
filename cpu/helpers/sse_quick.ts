/**
 * Scalar arithmetic with its precision flag for operands and results of ordinary size, rounded to nearest: what nearly all of it is. The rest
 * goes through integers (ieee.ts). JavaScript computes in doubles; whether a result is exact is found with error-free transformations.
 */

/** Far from overflow, underflow and denormals, whatever a step below makes of them. */
const LEAST = 2 ** -400, MOST = 2 ** 400;
const LEAST_SINGLE = 2 ** -120, MOST_SINGLE = 2 ** 120;
const isOrdinary = (x: number): boolean => x >= LEAST ? x <= MOST : x <= -LEAST && x >= -MOST;
const isOrdinarySingle = (x: number): boolean => x >= LEAST_SINGLE ? x <= MOST_SINGLE : x <= -LEAST_SINGLE && x >= -MOST_SINGLE;

const SPLITTER = 2 ** 27 + 1;
/** a * b - p, exactly, for p the rounded product (T. J. Dekker). */
function productError(a: number, b: number, p: number): number {
  const x = SPLITTER * a, ah = x - (x - a), al = a - ah, y = SPLITTER * b, bh = y - (y - b), bl = b - bh;
  return ah * bh - p + ah * bl + al * bh + al * bl;
}
/** a + b - s, exactly (D. Knuth). */
function sumError(a: number, b: number, s: number): number {
  const part = s - a;
  return a - (s - part) + (b - part);
}

/** The last result, and whether it is inexact. */
export interface Quick {
  value: number;
  inexact: boolean;
}
/** Fills `out`; false: not for here. */
export type QuickOperation = (a: number, b: number, out: Quick) => boolean;

const both = (a: number, b: number): boolean => isOrdinary(a) && isOrdinary(b);
const bothSingle = (a: number, b: number): boolean => isOrdinarySingle(a) && isOrdinarySingle(b);
function give(out: Quick, value: number, inexact: boolean): boolean {
  out.value = value;
  out.inexact = inexact;
  return isOrdinary(value);
}
/** `exact` is the result in double precision, itself exact when `sure`. Rounding twice does no harm here (S. A. Figueroa, 1995). */
function giveSingle(out: Quick, exact: number, sure: boolean): boolean {
  out.value = Math.fround(exact);
  out.inexact = !sure || out.value !== exact;
  return isOrdinarySingle(out.value);
}

export const QUICK: Readonly<Record<string, QuickOperation>> = {
  addsd: (a, b, out) => both(a, b) && give(out, a + b, sumError(a, b, a + b) !== 0),
  subsd: (a, b, out) => both(a, b) && give(out, a - b, sumError(a, -b, a - b) !== 0),
  mulsd: (a, b, out) => both(a, b) && give(out, a * b, productError(a, b, a * b) !== 0),
  divsd(a, b, out) {
    if (!both(a, b)) return false;
    const q = a / b, p = q * b;
    return isOrdinary(q) && give(out, q, p !== a || productError(q, b, p) !== 0);
  },
  sqrtsd(_, b, out) {
    if (!(b >= LEAST && b <= MOST)) return false;
    const r = Math.sqrt(b), p = r * r;
    return give(out, r, p !== b || productError(r, r, p) !== 0);
  },
  addss: (a, b, out) => bothSingle(a, b) && giveSingle(out, a + b, sumError(a, b, a + b) === 0),
  subss: (a, b, out) => bothSingle(a, b) && giveSingle(out, a - b, sumError(a, -b, a - b) === 0),
  mulss: (a, b, out) => bothSingle(a, b) && giveSingle(out, a * b, true),
  divss(a, b, out) {
    if (!bothSingle(a, b) || !giveSingle(out, a / b, true)) return false;
    out.inexact = out.value * b !== a;
    return true;
  },
  sqrtss(_, b, out) {
    if (!(b >= LEAST_SINGLE && b <= MOST_SINGLE) || !giveSingle(out, Math.sqrt(b), true)) return false;
    out.inexact = out.value * out.value !== b;
    return true;
  },
};
