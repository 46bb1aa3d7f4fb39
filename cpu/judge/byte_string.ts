/** Random byte strings, valid or not, as cases: what the processor makes of bytes that no assembler would write. */
import { decode } from "../decode.ts";
import { TF } from "../layout.ts";
import { ROWS } from "../opcodes/mod.ts";
import { encodeRow } from "./encode.ts";
import { randomFpState } from "./fp_state.ts";
import { address } from "./generate.ts";
import { type Case, CODE, PAGE, STACK } from "./protocol.ts";
import { integer, Random } from "./random.ts";

/** Longer than any instruction, so that over-long ones occur. */
const MAX_BYTES = 18;
const PREFIXES = [0x66, 0x66, 0xf2, 0xf3, 0xf2, 0xf3, 0x67, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const RSP = 4;

const rex = (r: Random): number => 0x40 | r.below(16);

/** Legacy and REX prefixes in any order, rarely so many that nothing fits behind them. */
function prefixes(r: Random): number[] {
  const count = r.chance(3) ? 8 + r.below(8) : r.pick([0, 0, 0, 1, 1, 1, 2, 2, 3, 4]);
  const out = Array.from({ length: count }, () => r.chance(15) ? rex(r) : r.pick(PREFIXES));
  return r.chance(35) ? [...out, rex(r)] : out;
}

/** Escape, VEX, EVEX or XOP bytes of an opcode map; of the maps under VEX mostly those that exist. */
function escape(r: Random): number[] {
  const map = () => r.chance(85) ? 1 + r.below(3) : r.below(32);
  const kind = r.below(100);
  if (kind < 26) return [];
  if (kind < 52) return [0x0f];
  if (kind < 64) return [0x0f, 0x38];
  if (kind < 72) return [0x0f, 0x3a];
  if (kind < 80) return [0xc5, r.below(256)];
  if (kind < 95) return [0xc4, r.below(8) << 5 | map(), r.below(256)];
  if (kind < 98) return [0x62, r.below(16) << 4 | map(), r.below(256), r.below(256)];
  return [0x8f, r.below(8) << 5 | 8 + r.below(3), r.below(256)];
}

/** Opcode, ModRM, SIB, displacement and immediate: all random, but displacements often small. */
function tail(r: Random): number[] {
  const small = () => r.chance(50) ? [...r.bytes(1), 0, 0, 0] : [...r.bytes(2)];
  return [...r.bytes(2), ...(r.chance(30) ? r.bytes(1) : []), ...small(), ...r.bytes(8)];
}

/** A valid instruction with a bit, a byte or a prefix that does not belong there. */
function nearlyValid(r: Random): number[] {
  const encoded = encodeRow(r.pick(ROWS), r, CODE.address, { branch: () => r.below(64) });
  const bytes = [...encoded?.code ?? [0x90]];
  for (let n = r.below(3); n > 0; n--) {
    const kind = r.below(4), at = r.below(bytes.length);
    if (kind === 0) bytes[at] ^= 1 << r.below(8);
    else if (kind === 1) bytes.unshift(r.pick(PREFIXES));
    else if (kind === 2) bytes.splice(at, 0, r.chance(50) ? rex(r) : r.pick(PREFIXES));
    else bytes[at] = r.below(256);
  }
  return bytes;
}

function anyBytes(r: Random): number[] {
  const kind = r.below(100);
  if (kind < 10) return [...r.bytes(1 + r.below(15))];
  if (kind < 45) return nearlyValid(r);
  return [...prefixes(r), ...escape(r), ...tail(r)];
}

/** Where the string begins: anywhere, before a page end, or so that it ends with the mapped area. */
function startOf(r: Random, length: number): number {
  const p = r.below(100);
  if (p < 88) return 64 + r.below(2000);
  return p < 93 ? PAGE - 1 - r.below(14) : CODE.bytes - 1 - r.below(length);
}

/** The bytes that the processor fetches from the case's first instruction on: breakpoints follow the code, up to the end of the area. */
export function fetched(c: Case): Uint8Array {
  const out = new Uint8Array(Math.min(16, CODE.bytes - c.codeOffset)).fill(0xcc);
  out.set(c.code.subarray(0, out.length));
  return out;
}

/**
 * The string `number` under `seed`. `stepped`: TF is set, so that the case ends behind its first instruction and shows its length; else
 * the string is cut behind what the decoder takes for the instruction, and breakpoints follow. Undefined: an endless loop, not stepped.
 */
export function stringCase(seed: number, number: number, stepped: boolean): Case | undefined {
  const r = new Random(seed, 0xb1_7e50 + Math.imul(number, 0x0100_0193) | 0);
  const bytes = Uint8Array.from(anyBytes(r)).subarray(0, MAX_BYTES);
  const start = startOf(r, bytes.length), room = CODE.bytes - start;
  let code = bytes.subarray(0, room);
  const gpr = new BigUint64Array(16);
  for (let n = 0; n < 16; n++) gpr[n] = r.chance(70) ? address(r, 16) : integer(r);
  if (r.chance(80)) gpr[RSP] = BigInt(STACK.address + 1024 + r.below(256) * 8);
  if (!stepped) {
    const insn = decode(code, 0, code.length, CODE.address + start);
    if (!("invalid" in insn)) {
      code = code.subarray(0, insn.length);
      const to = insn.ops.find((o) => o.kind === "rel")?.target;
      if (to !== undefined && to >= insn.pc && to < insn.pc + insn.length) return undefined;
    }
  }
  return {
    id: `--strings 1 --case ${number} --seed ${seed}`,
    codeOffset: start,
    entry: CODE.address + start,
    code,
    gpr,
    rflags: 0x202 | r.u32() & 0xcd5 | (stepped ? TF : 0),
    fs: r.pick([0n, 0x1000n, 0x1000_0000n, 0x7fff_f000n]),
    gs: r.pick([0n, 0x10n, 0x1_0000_0000n]),
    fp: randomFpState(r, { pool: r.pick(["int", "f32", "f64"]), x87: r.chance(50), controls: true }),
    pokes: [],
    showsFlags: true,
  };
}
