import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CF, OF, PF, SF, VEC, ZF } from "../layout.ts";
import { SSE_ROWS } from "../opcodes/sse.ts";
import { semanticOf } from "./mod.ts";
import { DATA, Executor, type Registers } from "./testing.ts";

const executor = new Executor();
const run = (hex: string, registers?: Registers) => executor.run(hex, registers);
const RAX = 0, RCX = 1, RSI = 6, RDI = 7;

const f64 = (x: number): bigint => new BigUint64Array(new Float64Array([x]).buffer)[0];
const f32 = (x: number): bigint => BigInt(new Uint32Array(new Float32Array([x]).buffer)[0]);
const toF32 = (bits: bigint): number => new Float32Array(new Uint32Array([Number(bits & 0xffff_ffffn)]).buffer)[0];
/** 32-bit lanes, lowest first. */
const lanes32 = (...x: (bigint | number)[]): bigint =>
  x.reduceRight<bigint>((all, v) => (all << 32n) | BigInt.asUintN(32, BigInt(v)), 0n);
/** Bytes as a little-endian number. */
const le = (bytes: Iterable<number>): bigint => [...bytes].reduceRight((all, b) => (all << 8n) | BigInt(b), 0n);
const hexBytes = (hex: string): bigint => le(Uint8Array.from(hex.match(/../g)!, (b) => parseInt(b, 16)));
const text = (s: string): bigint => le(new TextEncoder().encode(s));

const QNAN1 = 0x7ff8_0000_0000_0111n, QNAN2 = 0xfff8_0000_0000_0222n, SNAN = 0x7ff0_0000_0000_0333n;
const DEFAULT_NAN = 0xfff8_0000_0000_0000n, INFINITE = 0x7ff0_0000_0000_0000n;

/** xmm0 = xmm0 op xmm1. */
const binary = (hex: string, a: bigint, b: bigint): bigint => run(hex, { xmm: { 0: a, 1: b } }).xmm(0);

Deno.test("every row of the vector table has semantics", () => {
  assert.deepEqual(SSE_ROWS.filter((r) => !semanticOf(r.name)).map((r) => `${r.enc} ${r.name}`), []);
});

Deno.test("a NaN result is the first operand's NaN made quiet, or the negative default NaN", () => {
  const addsd = "f2 0f 58 c1", mulsd = "f2 0f 59 c1", sqrtsd = "f2 0f 51 c1";
  assert.equal(binary(addsd, QNAN1, QNAN2), QNAN1);
  assert.equal(binary(addsd, QNAN2, QNAN1), QNAN2);
  assert.equal(binary(addsd, f64(1), QNAN2), QNAN2);
  assert.equal(binary(addsd, SNAN, QNAN2), SNAN | 0x0008_0000_0000_0000n);
  assert.equal(binary(addsd, f64(1), SNAN), SNAN | 0x0008_0000_0000_0000n);
  assert.equal(binary(mulsd, 0n, INFINITE), DEFAULT_NAN);
  assert.equal(binary(sqrtsd, 0n, f64(-1)), DEFAULT_NAN);
});

Deno.test("packed arithmetic corrects only the lanes that are NaNs", () => {
  const mulpd = "66 0f 59 c1", both = (high: bigint, low: bigint) => (high << 64n) | low;
  assert.equal(binary(mulpd, both(f64(3), QNAN1), both(f64(5), QNAN2)), both(f64(15), QNAN1));
  assert.equal(binary(mulpd, both(INFINITE, f64(2)), both(0n, f64(2))), both(DEFAULT_NAN, f64(4)));
});

Deno.test("MINSD and MAXSD return the second operand for NaNs and zeros of either sign", () => {
  const minsd = "f2 0f 5d c1", maxsd = "f2 0f 5f c1", minusZero = 1n << 63n;
  assert.equal(binary(minsd, f64(1), SNAN), SNAN);
  assert.equal(binary(minsd, SNAN, f64(1)), f64(1));
  assert.equal(binary(minsd, 0n, minusZero), minusZero);
  assert.equal(binary(maxsd, minusZero, 0n), 0n);
  assert.equal(binary(maxsd, f64(2), f64(1)), f64(2));
});

Deno.test("conversion to integers gives the integer indefinite when the value does not fit", () => {
  const convert = (hex: string, x: bigint) => run(hex, { xmm: { 1: x } }).gpr(RAX);
  const cvttsd2si32 = "f2 0f 2c c1", cvttsd2si64 = "f2 48 0f 2c c1";
  assert.equal(convert(cvttsd2si32, f64(2147483647.9)), 0x7fff_ffffn);
  assert.equal(convert(cvttsd2si32, f64(2147483648)), 0x8000_0000n);
  assert.equal(convert(cvttsd2si32, QNAN1), 0x8000_0000n);
  assert.equal(convert(cvttsd2si32, f64(-1.5)), 0xffff_ffffn);
  assert.equal(convert(cvttsd2si64, f64(2 ** 63)), 1n << 63n);
  assert.equal(convert(cvttsd2si64, f64(2147483648)), 0x8000_0000n);
});

Deno.test("CVTSD2SI rounds as MXCSR says", () => {
  const convert = (x: number, mxcsr: number) => BigInt.asIntN(64, run("f2 48 0f 2d c1", { xmm: { 1: f64(x) }, mxcsr }).gpr(RAX));
  assert.deepEqual([2.5, 3.5, -2.5].map((x) => convert(x, 0x1f80)), [2n, 4n, -2n]);
  assert.deepEqual([2.5, -2.5].map((x) => convert(x, 0x3f80)), [2n, -3n]);
  assert.deepEqual([2.5, -2.5].map((x) => convert(x, 0x5f80)), [3n, -2n]);
  assert.deepEqual([2.5, -2.5].map((x) => convert(x, 0x7f80)), [2n, -2n]);
});

Deno.test("UCOMISD and COMISS set Z, P and C, and clear O and S", () => {
  const compare = (hex: string, a: bigint, b: bigint) => run(hex, { xmm: { 0: a, 1: b } }).flags & (ZF | PF | CF | OF | SF);
  const ucomisd = "66 0f 2e c1", comiss = "0f 2f c1";
  assert.equal(compare(ucomisd, f64(2), f64(1)), 0);
  assert.equal(compare(ucomisd, f64(1), f64(2)), CF);
  assert.equal(compare(ucomisd, 0n, 1n << 63n), ZF);
  assert.equal(compare(ucomisd, QNAN1, f64(1)), ZF | PF | CF);
  assert.equal(compare(comiss, f32(-1), f32(1)), CF);
});

Deno.test("conditions after UCOMISD and UCOMISS are the same in regions as from flags", () => {
  const region = new Executor({}, 1);
  const doubles = [f64(1), f64(2), 0n, 1n << 63n, QNAN1, INFINITE], singles = [f32(1), f32(-2), 0n, 0x8000_0000n, 0x7fc0_0000n];
  for (const [compare, values] of [["66 0f 2e c1", doubles], ["0f 2e c1", singles]] as const) {
    for (let cc = 0; cc < 16; cc++) {
      // UCOMISx, SETcc AL
      const code = `${compare} 0f ${(0x90 + cc).toString(16)} c0`;
      for (const a of values) {
        for (const b of values) {
          const state = { xmm: { 0: a, 1: b } }, got = region.run(code, state), want = run(code, state);
          assert.deepEqual(
            [got.gpr(RAX), got.flags],
            [want.gpr(RAX), want.flags],
            `${code}: ${a.toString(16)} ${b.toString(16)}`,
          );
        }
      }
    }
  }
});

Deno.test("chains of scalar operations give the same NaNs in regions as one by one", () => {
  const region = new Executor({}, 1);
  let seed = 1;
  const below = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0, (seed >>> 8) % n);
  // ADD MUL SUB MIN DIV MAX SQRT, doubles and singles; MOVAPD; MOVSD and MOVSS between registers and to memory; CVTSD2SS and back; MULPD.
  const operations = ["58", "59", "5c", "5d", "5e", "5f", "51"].flatMap((op) => [`f2 0f ${op}`, `f2 0f ${op}`, `f3 0f ${op}`]);
  operations.push("66 0f 28", "66 0f 28", "f2 0f 10", "f3 0f 10", "f2 0f 5a", "f3 0f 5a", "66 0f 59", "f2 0f 11");
  const values = [QNAN1, QNAN2, SNAN, 0xffa0_0001_7f80_0001n, f64(1.5), f64(-3), 0n, INFINITE];
  for (let round = 0; round < 300; round++) {
    const code = Array.from({ length: 12 }, () => {
      const operation = operations[below(operations.length)], register = below(4);
      // MOVSD to [RSI], else a register.
      const modrm = operation.endsWith("11") ? register << 3 | 6 : 0xc0 | register << 3 | below(4);
      return `${operation} ${modrm.toString(16).padStart(2, "0")}`;
    }).join(" ");
    const xmm = Object.fromEntries([0, 1, 2, 3].map((n) => [n, values[below(8)] | (values[below(8)] << 64n)]));
    const state = { xmm, gpr: { [RSI]: BigInt(DATA) } }, got = region.run(code, state), want = run(code, state);
    assert.deepEqual([0, 1, 2, 3].map((n) => got.xmm(n)), [0, 1, 2, 3].map((n) => want.xmm(n)), code);
    assert.deepEqual(got.memory, want.memory, code);
  }
});

Deno.test("legacy 16-byte memory operands must be aligned, except those of the unaligned moves", () => {
  const at = (hex: string, address: number) => run(hex, { gpr: { [RSI]: BigInt(address) } }).vector;
  for (const aligned of ["0f 28 06", "0f 29 06", "66 0f 6f 06", "66 0f e7 06", "66 0f fc 06", "0f 58 06", "66 0f 38 dc 06"]) {
    assert.equal(at(aligned, DATA + 8), VEC.GP, aligned);
    assert.equal(at(aligned, DATA + 16), undefined, aligned);
  }
  for (const any of ["0f 10 06", "f3 0f 6f 06", "f3 0f 7f 06", "f2 0f f0 06", "f2 0f 58 06", "0f fc 06", "66 0f 3a 63 06 08"]) {
    assert.equal(at(any, DATA + 1), undefined, any);
  }
});

Deno.test("a faulting load leaves the destination and the x87 state alone", () => {
  const registers = { gpr: { [RSI]: BigInt(DATA + 4096 - 4) }, xmm: { 0: 5n }, mmx: { 0: 7n } };
  const packed = run("f2 0f 58 06", registers), mmx = run("0f fc 06", registers);
  assert.deepEqual([packed.vector, packed.xmm(0)], [VEC.PF, 5n]);
  assert.deepEqual([mmx.vector, mmx.mmx(0)], [VEC.PF, 7n]);
});

Deno.test("MOVSD clears the upper half when it loads and keeps it between registers", () => {
  const old = { xmm: { 0: (9n << 64n) | 1n, 1: 2n }, memory: Uint8Array.of(3), gpr: { [RSI]: BigInt(DATA) } };
  assert.equal(run("f2 0f 10 06", old).xmm(0), 3n);
  assert.equal(run("f2 0f 10 c1", old).xmm(0), (9n << 64n) | 2n);
});

Deno.test("MASKMOVDQU stores the bytes whose mask is negative", () => {
  const { memory } = run("66 0f f7 c1", {
    xmm: { 0: hexBytes("00112233445566778899aabbccddeeff"), 1: hexBytes("80007f80000000000000000000000080") },
    gpr: { [RDI]: BigInt(DATA + 3) },
    memory: new Uint8Array(32).fill(0xee),
  });
  assert.deepEqual([...memory.subarray(3, 19)], [0, 0xee, 0xee, 0x33, ...Array(11).fill(0xee), 0xff]);
  assert.equal(run("0f f7 c1", { mmx: { 0: 5n, 1: 0x80n }, gpr: { [RDI]: BigInt(DATA) } }).memory[0], 5);
});

Deno.test("RCPPS and RSQRTPS stay within the documented relative error of 1.5 * 2^-12", () => {
  for (const x of [1, 3, 0.1, 12345.678, 1e-30, 1e30, 7 / 3]) {
    const exact = Math.fround(x);
    const reciprocal = toF32(run("0f 53 c1", { xmm: { 1: f32(x) } }).xmm(0)) * exact;
    const root = toF32(run("f3 0f 52 c1", { xmm: { 1: f32(x) } }).xmm(0)) * Math.sqrt(exact);
    assert(Math.abs(reciprocal - 1) < 1.5 * 2 ** -12 && Math.abs(root - 1) < 1.5 * 2 ** -12, `${x}`);
  }
  assert.equal(run("f3 0f 53 c1", { xmm: { 1: 1n } }).xmm(0), f32(Infinity));
  assert.equal(run("f3 0f 52 c1", { xmm: { 1: f32(-1) } }).xmm(0), 0xffc0_0000n);
});

Deno.test("CRC32 computes the Castagnoli checksum of the check string", () => {
  let crc = 0xffff_ffffn;
  for (const byte of new TextEncoder().encode("123456789")) {
    crc = run("f2 0f 38 f0 c1", { gpr: { [RAX]: crc, [RCX]: BigInt(byte) } }).gpr(RAX);
  }
  assert.equal(crc ^ 0xffff_ffffn, 0xe306_9283n);
  const whole = run("f2 48 0f 38 f1 c1", { gpr: { [RAX]: 0xffff_ffffn, [RCX]: text("12345678") } }).gpr(RAX);
  assert.equal(run("f2 0f 38 f0 c1", { gpr: { [RAX]: whole, [RCX]: text("9") } }).gpr(RAX) ^ 0xffff_ffffn, 0xe306_9283n);
});

Deno.test("AES instructions encrypt and decrypt the example of FIPS 197, appendix B", () => {
  // Key expansion of the appendix, by the instruction meant for it.
  const rcon = [1, 2, 4, 8, 16, 32, 64, 128, 27, 54];
  const keys = [hexBytes("2b7e151628aed2a6abf7158809cf4f3c")];
  for (const r of rcon) {
    const old = keys.at(-1)!, assist = run(`66 0f 3a df c1 ${r.toString(16)}`, { xmm: { 1: old } }).xmm(0) >> 96n;
    const words = [0, 1, 2, 3].map((k) => (old >> BigInt(32 * k)) & 0xffff_ffffn);
    words.reduce((previous, word, k) => words[k] = previous ^ word, assist);
    keys.push(lanes32(...words));
  }
  assert.equal(keys[10], hexBytes("d014f9a8c9ee2589e13f0cc8b6630ca6"));
  const plain = hexBytes("3243f6a8885a308d313198a2e0370734"), cipher = hexBytes("3925841d02dc09fbdc118597196a0b32");
  let state = plain ^ keys[0];
  for (const key of keys.slice(1, 10)) state = binary("66 0f 38 dc c1", state, key);
  assert.equal(binary("66 0f 38 dd c1", state, keys[10]), cipher);
  state = cipher ^ keys[10];
  for (const key of keys.slice(1, 10).reverse()) {
    state = binary("66 0f 38 de c1", state, run("66 0f 38 db c1", { xmm: { 1: key } }).xmm(0));
  }
  assert.equal(binary("66 0f 38 df c1", state, keys[0]), plain);
});

Deno.test("SHA-256 instructions hash one block", () => {
  // Round constants: fraction of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2); initial value: of the square roots.
  const primes = Array.from({ length: 312 }, (_, n) => n).filter((n) =>
    n > 1 && [2, 3, 5, 7, 11, 13, 17].every((d) => n === d || n % d)
  );
  const root = (n: number, k: bigint) => {
    let low = 0n, high = 1n << 40n;
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** k <= BigInt(n) << (32n * k)) low = middle;
      else high = middle;
    }
    return low & 0xffff_ffffn;
  };
  const K = primes.slice(0, 64).map((p) => root(p, 3n)), H = primes.slice(0, 8).map((p) => root(p, 2n));
  const block = new Uint8Array(64);
  block.set([0x61, 0x62, 0x63, 0x80]);
  block[63] = 24;
  const view = new DataView(block.buffer),
    w = [0, 1, 2, 3].map((k) => lanes32(...[0, 1, 2, 3].map((n) => view.getUint32(16 * k + 4 * n))));
  for (let k = 4; k < 16; k++) {
    const [a, b, c, d] = w.slice(k - 4);
    const sum = binary("66 0f fe c1", binary("0f 38 cc c1", a, b), binary("66 0f 3a 0f c1 04", d, c));
    w.push(binary("0f 38 cd c1", sum, d));
  }
  const [a, b, c, d, e, f, g, h] = H;
  let abef = lanes32(f, e, b, a), cdgh = lanes32(h, g, d, c);
  w.forEach((words, k) => {
    const wk = binary("66 0f fe c1", words, lanes32(...K.slice(4 * k, 4 * k + 4)));
    // xmm1 is the first operand here, because XMM0 holds the words.
    for (const two of [wk, wk >> 64n]) [cdgh, abef] = [abef, run("0f 38 cb ca", { xmm: { 0: two, 1: cdgh, 2: abef } }).xmm(1)];
  });
  const add = (x: bigint, y: bigint) => binary("66 0f fe c1", x, y);
  abef = add(abef, lanes32(f, e, b, a));
  cdgh = add(cdgh, lanes32(h, g, d, c));
  const word = (v: bigint, k: number) => ((v >> BigInt(32 * k)) & 0xffff_ffffn).toString(16).padStart(8, "0");
  const hash = word(abef, 3) + word(abef, 2) + word(cdgh, 3) + word(cdgh, 2) + word(abef, 1) + word(abef, 0) + word(cdgh, 1) +
    word(cdgh, 0);
  assert.equal(hash, createHash("sha256").update("abc").digest("hex"));
});

Deno.test("PCLMULQDQ multiplies polynomials over GF(2)", () => {
  const product = (x: bigint, y: bigint) => {
    let all = 0n;
    for (let k = 0n; k < 64n; k++) if ((y >> k) & 1n) all ^= x << k;
    return all;
  };
  const x = 0xffff_ffff_ffff_ffffn, y = 0x8000_0000_dead_beefn;
  assert.equal(binary("66 0f 3a 44 c1 00", x, y), product(x, y));
  assert.equal(binary("66 0f 3a 44 c1 11", y << 64n, y << 64n), product(y, y));
});

Deno.test("PCMPISTRI finds a substring and the end of a string", () => {
  const find = (control: string, a: string, b: string) => {
    const { gpr, flags } = run(`66 0f 3a 63 c1 ${control}`, { xmm: { 0: text(a), 1: text(b) } });
    return [Number(gpr(RCX)), flags & (CF | ZF | SF | OF)];
  };
  assert.deepEqual(find("0c", "cde", "abcdefgh"), [2, CF | ZF | SF]);
  assert.deepEqual(find("0c", "xyz", "abcdefghijklmnop"), [16, SF]);
  assert.deepEqual(find("04", "az", "123abc"), [3, CF | ZF | SF]);
  assert.deepEqual(find("18", "abc", "abd"), [2, CF | ZF | SF]);
});

Deno.test("MMX instructions share the lane functions on 64 bits", () => {
  const mmx = (hex: string, a: bigint, b: bigint) => run(hex, { mmx: { 0: a, 1: b } }).mmx(0);
  assert.equal(mmx("0f 63 c1", 0x0001_0002_7fff_8000n, 0x0100_ff00_0003_0004n), 0x7f80_0304_0102_7f80n);
  assert.equal(mmx("0f 69 c1", 0x1111_2222_3333_4444n, 0x5555_6666_7777_8888n), 0x5555_1111_6666_2222n);
  assert.equal(mmx("0f 38 00 c1", 0x7766_5544_3322_1100n, 0x8007_0605_0403_0201n), 0x0077_6655_4433_2211n);
});
