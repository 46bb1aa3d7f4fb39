/** xorshift32 of Marsaglia: unsigned 32-bit numbers, the same for a seed (not 0) in every run. */
export function* random(seed: number): Generator<number, never> {
  for (let x = seed;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield x >>> 0;
  }
}
