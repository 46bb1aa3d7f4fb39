/**
 * String instructions with a REP prefix, in whole runs of physically contiguous memory. RSI, RDI and RCX are written back after every run, so a
 * fault leaves them at the faulting element (Intel SDM vol. 2, REP), and the flags as the last comparison before it set them.
 */
import { FLAG_D, leftInPage, PAGE, SCRATCH, STATE } from "../layout.ts";
import type { Insn } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { addToRegister, high, low, pointer, RAX, RCX, RDI, RSI, segmentBase, setCompareFlags, setRegister } from "./registers.ts";

const TWO32 = 0x1_0000_0000;
/** Bytes moved before interrupts are polled. */
const SLICE = 512 * 1024;

/** Elements left to do, at most `most`. */
function remaining(c: HelperContext, i: Insn, most: number): number {
  if (i.addressSize === 8 && high(c.ram, RCX) !== 0) return most;
  return Math.min(low(c.ram, RCX), most);
}

/** Linear address of RSI (with segment base) or RDI. */
function linear(c: HelperContext, i: Insn, n: number): number {
  const at = i.addressSize === 8 ? pointer(c.ram, n) : low(c.ram, n);
  return n === RDI ? at : at + segmentBase(c.ram, i.seg);
}

const backwards = (c: HelperContext): boolean => c.ram.i32[(STATE + FLAG_D) >> 2] !== 0;

/**
 * How many of `n` elements from pointer register `r` on lie in one physically contiguous accessible run; 0 = not even one (the caller then
 * does a single element with full checks). Backwards, a run is what is left of the page.
 */
function elements(c: HelperContext, i: Insn, r: number, n: number, write: boolean, down: boolean): number {
  const va = linear(c, i, r), size = i.size;
  if (down) {
    const inPage = PAGE - leftInPage(va);
    if (inPage + size > PAGE || c.run(va, 1, write) === 0) return 0;
    return Math.min(n, 1 + Math.floor(inPage / size));
  }
  // With 32-bit addresses the pointer wraps; stop there.
  const limit = i.addressSize === 4 ? Math.min(n * size, TWO32 - low(c.ram, r)) : n * size;
  return Math.floor(c.run(va, limit, write) / size);
}

function advance(c: HelperContext, i: Insn, n: number, down: boolean, ...registers: number[]): void {
  const delta = down ? -n * i.size : n * i.size;
  for (const r of registers) addToRegister(c.ram, r, delta, i.addressSize);
  addToRegister(c.ram, RCX, -n, i.addressSize);
}

/** Runs `step` (which does at least one and at most n elements and says how many) until RCX is zero, `step` says stop (0), or the slice is over. */
function repeatSteps(c: HelperContext, i: Insn, step: (n: number) => number): void {
  for (let budget = Math.ceil(SLICE / i.size); budget > 0;) {
    const n = remaining(c, i, budget);
    if (n === 0) return;
    const done = step(n);
    if (done === 0) return;
    budget -= done;
  }
  if (remaining(c, i, 1) !== 0) c.repeat();
}

/** Copies `bytes` upwards, element by element as MOVS does: when the destination overlaps the source's end, the pattern repeats. */
export function copyUp(u8: Uint8Array, to: number, from: number, bytes: number, size: number): void {
  const distance = to - from;
  if (distance <= 0 || distance >= bytes) {
    u8.copyWithin(to, from, from + bytes);
  } else if (distance < size) {
    for (let at = 0; at < bytes; at += size) u8.copyWithin(to + at, from + at, from + at + size);
  } else {
    // The result is periodic with `distance`: everything from `from` to `to + done` repeats, so ever longer pieces can be copied.
    for (let done = 0; done < bytes;) {
      const piece = Math.min(distance + done - done % distance, bytes - done);
      u8.copyWithin(to + done, from + done % distance, from + done % distance + piece);
      done += piece;
    }
  }
}

/** Copies downwards, highest element first; `to` and `from` are the lowest addresses. */
export function copyDown(u8: Uint8Array, to: number, from: number, bytes: number, size: number): void {
  const distance = from - to;
  if (distance <= 0 || distance >= bytes) {
    u8.copyWithin(to, from, from + bytes);
  } else {
    for (let at = bytes - size; at >= 0; at -= size) u8.copyWithin(to + at, from + at, from + at + size);
  }
}

/** Bytes of a plain forward move that may be done at once: 64-bit addresses, no segment base, within the slice; 0 = not that simple. */
function plainBytes(c: HelperContext, i: Insn): number {
  const { ram } = c;
  if (i.addressSize === 4 || i.seg !== undefined || high(ram, RCX) !== 0 || backwards(c)) return 0;
  const bytes = low(ram, RCX) * i.size;
  return bytes <= SLICE ? bytes : 0;
}

/** The usual case without allocations: everything in one run. False = nothing was done. */
function plainMove(c: HelperContext, i: Insn, bytes: number): boolean {
  if (bytes === 0) return false;
  const { ram } = c;
  const source = c.contiguous(pointer(ram, RSI), bytes, false), target = c.contiguous(pointer(ram, RDI), bytes, true);
  if (source < 0 || target < 0) return false;
  copyUp(ram.u8, target, source, bytes, i.size);
  c.codeWritten(target, bytes);
  addToRegister(ram, RSI, bytes, 8);
  addToRegister(ram, RDI, bytes, 8);
  setRegister(ram, RCX, 8, 0);
  return true;
}

function plainFill(c: HelperContext, i: Insn, bytes: number): boolean {
  if (bytes === 0) return false;
  const { ram } = c, { u8 } = ram, size = i.size, target = c.contiguous(pointer(ram, RDI), bytes, true);
  if (target < 0) return false;
  const first = STATE + 8 * RAX;
  let uniform = true;
  for (let n = 1; n < size; n++) uniform &&= u8[first + n] === u8[first];
  if (uniform) u8.fill(u8[first], target, target + bytes);
  else {
    u8.copyWithin(target, first, first + size);
    copyUp(u8, target + size, target, bytes - size, size);
  }
  c.codeWritten(target, bytes);
  addToRegister(ram, RDI, bytes, 8);
  setRegister(ram, RCX, 8, 0);
  return true;
}

const repMovs: Helper = (c, i) => {
  if (plainMove(c, i, plainBytes(c, i)) || remaining(c, i, 1) === 0) return;
  const { u8 } = c.ram, size = i.size, down = backwards(c);
  repeatSteps(c, i, (n) => {
    const k = Math.min(elements(c, i, RSI, n, false, down), elements(c, i, RDI, n, true, down));
    const from = linear(c, i, RSI), to = linear(c, i, RDI);
    if (k === 0) {
      const element = new Uint8Array(size);
      c.loadBytes(from, element);
      c.storeBytes(to, element);
      advance(c, i, 1, down, RSI, RDI);
      return 1;
    }
    const bytes = k * size, below = down ? bytes - size : 0;
    const source = c.translate(from, size, false) - below, target = c.translate(to, size, true) - below;
    (down ? copyDown : copyUp)(u8, target, source, bytes, size);
    c.codeWritten(target, bytes);
    advance(c, i, k, down, RSI, RDI);
    return k;
  });
};

const repStos: Helper = (c, i) => {
  if (plainFill(c, i, plainBytes(c, i)) || remaining(c, i, 1) === 0) return;
  const { u8 } = c.ram, size = i.size, down = backwards(c);
  const element = u8.slice(STATE + 8 * RAX, STATE + 8 * RAX + size);
  repeatSteps(c, i, (n) => {
    const k = elements(c, i, RDI, n, true, down), to = linear(c, i, RDI);
    if (k === 0) {
      c.storeBytes(to, element);
      advance(c, i, 1, down, RDI);
      return 1;
    }
    const bytes = k * size, target = c.translate(to, size, true) - (down ? bytes - size : 0);
    if (element.every((b) => b === element[0])) u8.fill(element[0], target, target + bytes);
    else {
      u8.set(element, target);
      copyUp(u8, target + size, target, bytes - size, size);
    }
    c.codeWritten(target, bytes);
    advance(c, i, k, down, RDI);
    return k;
  });
};

/** Only the last element loaded counts, but all must be readable. */
const repLods: Helper = (c, i) => {
  const size = i.size, down = backwards(c), element = new Uint8Array(size);
  repeatSteps(c, i, (n) => {
    const k = Math.max(1, elements(c, i, RSI, n, false, down));
    const from = linear(c, i, RSI);
    c.loadBytes(down ? from - (k - 1) * size : from + (k - 1) * size, element);
    advance(c, i, k, down, RSI);
    setRegister(c.ram, RAX, size, part(element, 0, size), part(element, 4, size));
    return k;
  });
};

/** Up to four bytes of an element of `size` bytes at `at`, from byte `first` on, as an unsigned number; 0 beyond its end. */
function part(bytes: Uint8Array, first: number, size: number, at = 0): number {
  if (first >= size) return 0;
  if (size === 1) return bytes[at];
  const low16 = bytes[at + first] | bytes[at + first + 1] << 8;
  return size === 2 ? low16 : (low16 | bytes[at + first + 2] << 16 | bytes[at + first + 3] << 24) >>> 0;
}

/** Where CMPS and SCAS put elements that cannot be compared in place, behind the page-crossing buffer. */
const FIRST = SCRATCH + 0x800, SECOND = FIRST + 8;

function equalElements(u8: Uint8Array, a: number, b: number, size: number): boolean {
  for (let n = 0; n < size; n++) if (u8[a + n] !== u8[b + n]) return false;
  return true;
}

/**
 * Compares RAX or the elements at RSI with those at RDI until the REP condition fails. All are in RAM (RAX in the state block), so one loop
 * serves both.
 */
function compare(c: HelperContext, i: Insn, other: number): void {
  const { ram } = c, { u8 } = ram, size = i.size, down = backwards(c), whileEqual = i.rep === "rep";
  const inMemory = other === RSI, step = down ? -size : size;
  repeatSteps(c, i, (n) => {
    let k = elements(c, i, RDI, n, false, down);
    if (inMemory) k = Math.min(k, elements(c, i, RSI, n, false, down));
    let a = STATE + 8 * RAX, b = SECOND;
    if (k === 0) {
      // Across pages: one element, read in the architectural order so that the right byte faults.
      if (inMemory) c.loadBytes(linear(c, i, RSI), u8.subarray(a = FIRST, FIRST + size));
      c.loadBytes(linear(c, i, RDI), u8.subarray(SECOND, SECOND + size));
      k = 1;
    } else {
      if (inMemory) a = c.translate(linear(c, i, RSI), size, false);
      b = c.translate(linear(c, i, RDI), size, false);
    }
    const aStep = inMemory ? step : 0;
    let e = 1;
    if (size === 1) {
      for (; e < k && (u8[a] === u8[b]) === whileEqual; e++, a += aStep, b += step);
    } else {
      for (; e < k && equalElements(u8, a, b, size) === whileEqual; e++, a += aStep, b += step);
    }
    setCompareFlags(ram, size, part(u8, 0, size, a), part(u8, 4, size, a), part(u8, 0, size, b), part(u8, 4, size, b));
    if (inMemory) advance(c, i, e, down, RSI, RDI);
    else advance(c, i, e, down, RDI);
    return equalElements(u8, a, b, size) === whileEqual ? e : 0;
  });
}

export const STRING_HELPERS: Readonly<Record<string, Helper>> = {
  rep_movs: repMovs,
  rep_stos: repStos,
  rep_lods: repLods,
  rep_cmps: (c, i) => compare(c, i, RSI),
  rep_scas: (c, i) => compare(c, i, RAX),
};
