/** Cases of random instruction sequences, and how to make a failing one smaller. */
import { randomFpState } from "./fp_state.ts";
import { type Case, CODE, DATA, STACK, WRITABLE_CODE } from "./protocol.ts";
import { integer, Random } from "./random.ts";
import { Builder, type Piece, RBP, RSI, RSP, type Style } from "./sequence_builder.ts";

export interface Sequence {
  test: Case;
  pieces: Piece[];
}

function write(r: Random, base: number, style: Style, size: number): Builder {
  const b = new Builder(r, base, style);
  b.block(size, 0);
  b.finish();
  return b;
}

/** The sequence `number` under `seed`. */
export function sequenceCase(seed: number, number: number): Sequence {
  const r = new Random(seed, 0x5e9_0000 + number * 3);
  const selfModifying = r.chance(15);
  const area = selfModifying ? WRITABLE_CODE : CODE;
  const at = 16 + r.below(selfModifying ? 4000 : 200);
  const style = { integers: r.chance(50), faults: r.chance(15), selfModifying };
  let size = 3 + r.below(r.chance(30) ? 40 : 14);
  let b = write(r, area.address + at, style, size);
  while (at + b.bytes.length > area.bytes) b = write(r, area.address + at, style, size >>= 1);
  const gpr = new BigUint64Array(16);
  for (let n = 0; n < 16; n++) gpr[n] = integer(r);
  gpr[RSP] = BigInt(STACK.address + 2048 + 8 * r.below(128));
  gpr[RBP] = BigInt(DATA.address + DATA.bytes / 2);
  gpr[RSI] = BigInt(16 * r.below(4));
  const fp = randomFpState(r, { pool: r.pick(["int", "f32", "f64"]), x87: r.chance(50), controls: false });
  return {
    pieces: b.pieces,
    test: {
      id: `--sequences 1 --case ${number} --seed ${seed}`,
      codeOffset: area.first + at,
      entry: area.address + at,
      code: Uint8Array.from(b.bytes),
      gpr,
      rflags: 0x202,
      fs: BigInt(64 * r.below(8)),
      gs: BigInt(64 * r.below(8)),
      fp,
      pokes: [],
    },
  };
}

/** The same sequence with the piece at `index` replaced by NOPs. */
export function without(s: Sequence, index: number): Sequence {
  const code = s.test.code.slice();
  const { offset, length } = s.pieces[index];
  code.fill(0x90, offset, offset + length);
  return { test: { ...s.test, code }, pieces: s.pieces.filter((_, n) => n !== index) };
}
