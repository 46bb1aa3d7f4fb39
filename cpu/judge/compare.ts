/** Compares the results of two processors and says what differs first. */
import type { Insn, OpRow } from "../insn.ts";
import { AF, CF, DF, OF, PF, SF, ZF } from "../layout.ts";
import { gprName } from "../disasm.ts";
import { FX } from "./fp_state.ts";
import { type Case, FX_BYTES, type Result } from "./protocol.ts";

export interface Strictness {
  /** Compare the sticky exception flags of MXCSR too. */
  sticky: boolean;
}

const FLAG_BITS: Readonly<Record<string, number>> = { c: CF, p: PF, a: AF, z: ZF, s: SF, o: OF };
/** RF is the host's own, IF and IOPL never change in user mode. */
const COMPARED_FLAGS = CF | PF | AF | ZF | SF | DF | OF;
const PAGE_FAULT = 14;

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

/** Flags that a row leaves undefined. */
export const undefinedFlags = (row: OpRow): number => [...row.undef ?? ""].reduce((mask, f) => mask | FLAG_BITS[f], 0);

/** Linux keeps the last page below the canonical limit unmapped for programs (TASK_SIZE_MAX). */
const LAST_USER_PAGE = 0x7fff_ffff_f000n;

function exception(r: Result): string {
  if (r.vector === 6) return `#6 at ${hex(r.rip)}`;
  // What the host's kernel has mapped for itself there, is its own business.
  const error = r.vector === PAGE_FAULT && r.cr2 >= LAST_USER_PAGE ? r.error | 1 : r.error;
  const cr2 = r.vector !== PAGE_FAULT ? "" : ` cr2 ${hex(r.cr2)}`;
  return `#${r.vector} error ${hex(r.vector === PAGE_FAULT || r.vector === 13 || r.vector === 12 ? error : 0)}${cr2} at ${
    hex(r.rip)
  }`;
}

function flags(value: number): string {
  const names = Object.entries({ ...FLAG_BITS, d: DF }).filter(([, bit]) => value & bit).map(([f]) => f).join("");
  return `${hex(value & COMPARED_FLAGS)} (${names})`;
}

const bytesText = (b: Uint8Array, at: number, n: number): string =>
  Array.from(b.subarray(at, at + n), (x) => x.toString(16).padStart(2, "0")).reverse().join("");

function fpDifference(a: Uint8Array, b: Uint8Array, s: Strictness): string | undefined {
  const u16 = (x: Uint8Array, at: number) => x[at] | x[at + 1] << 8;
  const part = (name: string, at: number, n: number) =>
    bytesText(a, at, n) === bytesText(b, at, n) ? undefined : `${name} ${bytesText(a, at, n)}, native ${bytesText(b, at, n)}`;
  const masked = (name: string, at: number, mask: number) =>
    ((u16(a, at) ^ u16(b, at)) & mask) === 0 ? undefined : `${name} ${hex(u16(a, at) & mask)}, native ${hex(u16(b, at) & mask)}`;
  for (let n = 0; n < 16; n++) {
    const d = part(`xmm${n}`, FX.XMM + 16 * n, 16) ?? part(`ymm${n} high half`, FX_BYTES + 16 * n, 16);
    if (d !== undefined) return d;
  }
  const status = masked("FCW", FX.CW, 0x1f3f) ?? masked("FSW", FX.SW, 0xffff) ??
    masked("FTW", FX.TAG, 0xff) ??
    masked("MXCSR", FX.MXCSR, s.sticky ? 0xffff : 0xffc0);
  if (status !== undefined) return status;
  for (let n = 0; n < 8; n++) {
    const d = part(`st${n}`, FX.ST + 16 * n, 10);
    if (d !== undefined) return d;
  }
  return undefined;
}

function memoryDifference(a: Result, b: Result): string | undefined {
  const n = a.offsets.length > b.offsets.length ? a.offsets.length : b.offsets.length;
  for (let k = 0; k < n; k++) {
    if (a.offsets[k] === b.offsets[k] && a.words[k] === b.words[k]) continue;
    const at = Math.min(a.offsets[k] ?? Infinity, b.offsets[k] ?? Infinity);
    const value = (r: Result) => r.offsets[k] === at ? hex(r.words[k]) : "unchanged";
    return `memory at image offset ${hex(at)}: ${value(a)}, native ${value(b)}`;
  }
  return undefined;
}

/** What Hedra (`ours`) did otherwise than the native processor; undefined = nothing. `undef`: RFLAGS bits that do not count. */
export function difference(ours: Result, native: Result, undef: number, s: Strictness): string | undefined {
  if (exception(ours) !== exception(native)) return `${exception(ours)}, native ${exception(native)}`;
  const found = stateDifference(ours, native, undef, s);
  return found && `${found} (both ${exception(native)})`;
}

function stateDifference(ours: Result, native: Result, undef: number, s: Strictness): string | undefined {
  for (let n = 0; n < 16; n++) {
    if (ours.gpr[n] !== native.gpr[n]) return `${gprName(n, 8)} ${hex(ours.gpr[n])}, native ${hex(native.gpr[n])}`;
  }
  if (((ours.rflags ^ native.rflags) & COMPARED_FLAGS & ~undef) !== 0) {
    return `flags ${flags(ours.rflags)}, native ${flags(native.rflags)}`;
  }
  if (ours.fs !== native.fs || ours.gs !== native.gs) {
    return `fs ${hex(ours.fs)} gs ${hex(ours.gs)}, native ${hex(native.fs)} ${hex(native.gs)}`;
  }
  return memoryDifference(ours, native) ?? (ours.fp && native.fp ? fpDifference(ours.fp, native.fp, s) : undefined);
}

/** Everything that `difference` compares without sticky flags, as text: equal texts mean equal results. */
export function canonical(r: Result, undef: number): string {
  const fp = r.fp && r.fp.slice();
  if (fp) {
    const view = new DataView(fp.buffer);
    const keep = (at: number, mask: number) => view.setUint16(at, view.getUint16(at, true) & mask, true);
    keep(FX.CW, 0x1f3f);
    keep(FX.MXCSR, 0xffc0);
    // Last opcode and pointers, reserved bytes, MXCSR_MASK.
    fp.fill(0, FX.TAG + 1, FX.MXCSR);
    fp.fill(0, FX.MXCSR + 4, FX.ST);
    for (let n = 0; n < 8; n++) fp.fill(0, FX.ST + 16 * n + 10, FX.ST + 16 * n + 16);
    fp.fill(0, FX.XMM + 256, FX_BYTES);
  }
  return [
    exception(r),
    r.gpr.join(),
    r.rflags & COMPARED_FLAGS & ~undef,
    r.fs,
    r.gs,
    r.offsets.join(),
    r.words.join(),
    fp ? bytesText(fp, 0, fp.length) : "",
  ].join(";");
}

/** The registers an instruction starts with, for a report. */
export function stateText(c: Case, insn: Insn | undefined): string {
  const used = new Set<number>([0, 1, 2, 4]);
  for (const op of insn?.ops ?? []) {
    if (op.kind === "reg") used.add(op.n);
    if (op.kind === "mem") { for (const n of [op.base, op.index]) if (n >= 0) used.add(n); }
  }
  const registers = [...used].sort((a, b) => a - b).map((n) => `${gprName(n, 8)}=${hex(c.gpr[n])}`);
  const vectors: string[] = [];
  for (const op of c.fp ? insn?.ops ?? [] : []) {
    if (op.kind === "xmm") {
      const high = op.size === 32 ? `${bytesText(c.fp!, FX_BYTES + 16 * op.n, 16)}:` : "";
      vectors.push(`xmm${op.n}=${high}${bytesText(c.fp!, FX.XMM + 16 * op.n, 16)}`);
    }
    if (op.kind === "mmx" || op.kind === "st") vectors.push(`st${op.n}=${bytesText(c.fp!, FX.ST + 16 * op.n, 10)}`);
  }
  const pokes = c.pokes.map((p) => `[${hex(p.offset)}]=${bytesText(p.bytes, 0, Math.min(32, p.bytes.length))}`);
  return [...registers, `flags=${flags(c.rflags)}`, ...vectors, ...pokes].join(" ");
}
