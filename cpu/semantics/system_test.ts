import { deepEqual, equal } from "node:assert/strict";
import { VEC } from "../layout.ts";
import { INTEGER_ROWS } from "../opcodes/integer.ts";
import { SYSTEM_ROWS } from "../opcodes/system.ts";
import { semanticOf } from "./mod.ts";
import { CODE, DATA, Executor, type Registers } from "./testing.ts";

const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RSI = 6, RDI = 7;
const STACK = BigInt(DATA + 0x800);

const written: string[] = [];
const executor = new Executor({
  tsc: () => 0x12_3456_789a,
  portAllowed: (port) => port === 0x3f8,
  portIn: (_port, bytes) => bytes === 1 ? 0xab : 0xdead_beef,
  portOut: (port, bytes, value) => void written.push(`${port.toString(16)} ${bytes} ${value.toString(16)}`),
  random: (out) => void out.fill(0x5a),
});
const run = (hex: string, registers?: Registers) => executor.run(hex, registers);
const onStack = (...words: bigint[]): Registers => {
  const memory = new Uint8Array(4096), view = new DataView(memory.buffer);
  words.forEach((word, n) => view.setBigUint64(0x800 + 8 * n, word, true));
  return { memory, gpr: { [RSP]: STACK } };
};

Deno.test("every row of the integer and system tables has semantics", () => {
  equal([...INTEGER_ROWS, ...SYSTEM_ROWS].filter((row) => !semanticOf(row.name)).map((row) => row.name).join(), "");
});

Deno.test("CPUID leaf 0 gives the vendor in EBX, EDX, ECX and clears the upper halves", () => {
  const r = run("0f a2", { gpr: { [RAX]: 0xffff_ffff_0000_0000n, [RCX]: 0n, [RBX]: -1n } });
  equal(r.gpr(RBX), 0x756e_6547n);
  equal(r.gpr(RDX), 0x4965_6e69n);
  equal(r.gpr(RCX), 0x6c65_746en);
});

Deno.test("RDTSC splits the counter over EDX and EAX, RDTSCP sets ECX to IA32_TSC_AUX", () => {
  const r = run("0f 01 f9", { gpr: { [RAX]: -1n, [RDX]: -1n, [RCX]: -1n } });
  equal(r.gpr(RAX), 0x3456_789an);
  equal(r.gpr(RDX), 0x12n);
  equal(r.gpr(RCX), 0n);
  equal(run("0f 31").gpr(RDX), 0x12n);
});

Deno.test("RDRAND sets C and clears the other arithmetic flags", () => {
  const r = run("48 0f c7 f0");
  equal(r.gpr(RAX), 0x5a5a_5a5a_5a5a_5a5an);
  equal(r.flags & 0x8d5, 1);
  equal(run("66 0f c7 f8", { gpr: { [RAX]: -1n } }).gpr(RAX), 0xffff_ffff_ffff_5a5an);
});

Deno.test("IN and OUT reach an allowed port and raise #GP(0) for any other", () => {
  equal(run("ec", { gpr: { [RDX]: 0x3f8n, [RAX]: 0x1100n } }).gpr(RAX), 0x11abn);
  equal(run("ed", { gpr: { [RDX]: 0x3f8n, [RAX]: -1n } }).gpr(RAX), 0xdead_beefn);
  run("66 ef", { gpr: { [RDX]: 0x3f8n, [RAX]: 0x1234_5678n } });
  equal(written.pop(), "3f8 2 5678");
  const refused = run("e4 60");
  equal(refused.vector, VEC.GP);
  equal(refused.error, 0);
  equal(refused.rip, 0);
});

Deno.test("REP OUTSB writes every byte and leaves RSI and RCX at the end", () => {
  const r = run("f3 6e", { memory: new Uint8Array([1, 2, 3]), gpr: { [RDX]: 0x3f8n, [RSI]: BigInt(DATA), [RCX]: 3n } });
  equal(written.splice(-3).join(), "3f8 1 1,3f8 1 2,3f8 1 3");
  equal(r.gpr(RSI), BigInt(DATA + 3));
  equal(r.gpr(RCX), 0n);
});

Deno.test("INSD stores a doubleword at RDI", () => {
  const r = run("6d", { gpr: { [RDX]: 0x3f8n, [RDI]: BigInt(DATA) } });
  equal(r.memory.slice(0, 5).join(), "239,190,173,222,0");
  equal(r.gpr(RDI), BigInt(DATA + 4));
});

Deno.test("INT3 and INT 3 are traps: RIP is the next instruction", () => {
  for (const [hex, length] of [["cc", 1], ["cd 03", 2]] as const) {
    const r = run(hex);
    equal(r.vector, VEC.BP);
    equal(r.rip, length);
  }
  equal(run("f1").vector, VEC.DB);
});

Deno.test("INT n raises #GP with the gate's number and the IDT bit", () => {
  const r = run("cd 80");
  equal(r.vector, VEC.GP);
  equal(r.error, 0x80 * 8 + 2);
  equal(r.rip, 0);
});

Deno.test("privileged instructions raise #GP(0), absent ones #UD", () => {
  for (const hex of ["f4", "fa", "fb", "0f 06", "0f 32", "0f 30", "0f 01 f8", "0f 22 d8", "0f 01 10"]) {
    equal(run(hex).vector, VEC.GP, hex);
  }
  for (const hex of ["0f 22 c8", "0f 34", "0f 01 c1", "06", "ce", "9a"]) {
    const r = run(hex);
    equal(r.vector, VEC.UD, hex);
    equal(r.rip, 0, hex);
  }
});

Deno.test("segment registers read as the kernel set them and take null or flat selectors only", () => {
  equal(run("8c c8").gpr(RAX), 0x1bn);
  equal(run("8c d0", { gpr: { [RAX]: -1n } }).gpr(RAX), 0x23n);
  equal(run("8e d8 8c d8", { gpr: { [RAX]: 3n } }).gpr(RAX), 3n);
  const refused = run("8e d8", { gpr: { [RAX]: 0x4bn } });
  equal(refused.vector, VEC.GP);
  equal(refused.error, 0x48);
  equal(run("8e d0", { gpr: { [RAX]: 0n } }).vector, VEC.GP);
});

Deno.test("WRFSBASE moves the base of FS accesses and refuses addresses that are not canonical", () => {
  const memory = new Uint8Array([0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12]);
  const wrfsbaseRax = "f3 48 0f ae d0", loadFs4 = "64 8b 0c 25 04 00 00 00";
  equal(run(`${wrfsbaseRax} ${loadFs4}`, { memory, gpr: { [RAX]: BigInt(DATA) } }).gpr(RCX), 0x1234_5678n);
  equal(run(wrfsbaseRax, { gpr: { [RAX]: 1n << 47n } }).vector, VEC.GP);
  equal(run(`${wrfsbaseRax} f3 48 0f ae c1`, { gpr: { [RAX]: -8n } }).gpr(RCX), 0xffff_ffff_ffff_fff8n);
});

Deno.test("LDMXCSR refuses reserved bits", () => {
  const at = { gpr: { [RAX]: BigInt(DATA) } };
  equal(run("0f ae 10 0f ae 58 04", { ...at, memory: new Uint8Array([0x80, 0x3f, 0, 0]) }).memory[5], 0x3f);
  equal(run("0f ae 10", { ...at, memory: new Uint8Array([0, 0, 1, 0]) }).vector, VEC.GP);
});

Deno.test("a far return to the other 64-bit code segment loads CS", () => {
  const r = run("48 cb 90 90 8c c8", onStack(BigInt(CODE + 4), 0x2bn));
  equal(r.gpr(RAX), 0x2bn);
  equal(r.gpr(RSP), STACK + 16n);
  const null_ = run("48 cb", onStack(BigInt(CODE + 4), 0n));
  equal(null_.vector, VEC.GP);
  equal(null_.gpr(RSP), STACK);
});

Deno.test("IRET takes RIP, CS, flags, RSP and SS from the stack but keeps IF", () => {
  const r = run("48 cf 90 90 90 90", onStack(BigInt(CODE + 4), 0x1bn, 0xcd7n & ~0x200n, STACK - 64n, 0x23n));
  equal(r.vector, undefined);
  equal(r.gpr(RSP), STACK - 64n);
  equal(r.flags & 0xed5, 0xed5);
});

Deno.test("far calls push CS and the return address", () => {
  const memory = new Uint8Array(4096), view = new DataView(memory.buffer);
  view.setBigUint64(0, BigInt(CODE + 8), true);
  view.setUint16(8, 0x1b, true);
  const r = run("48 ff 18 90 90 90 90 90", { memory, gpr: { [RAX]: BigInt(DATA), [RSP]: STACK } });
  equal(r.gpr(RSP), STACK - 16n);
  const frame = new DataView(r.memory.buffer);
  equal(frame.getBigUint64(0x7f0, true), BigInt(CODE + 3));
  equal(frame.getBigUint64(0x7f8, true), 0x1bn);
});

Deno.test("SMSW and SLDT can be read because UMIP is off", () => {
  equal(run("0f 01 e0").gpr(RAX), 0x8001_0033n);
  equal(run("0f 00 c0", { gpr: { [RAX]: -1n } }).gpr(RAX), 0n);
});

Deno.test("POPF changes neither IF nor IOPL", () => {
  const r = run("9d", onStack(0x3000n));
  equal(r.flags & 0x3200, 0x200);
});

Deno.test("page faults of state saving instructions name the byte that processors try first", () => {
  // Areas that end behind the page at DATA, or begin there; offsets from DATA and error codes as an AMD Zen 5 gives them.
  const cases = [
    ["0f ae 03", 0xe40, 0x103f, 6],
    ["0f ae 0b", 0xe40, 0x103f, 4],
    ["0f ae 23", 0xe40, 0x117f, 6],
    ["0f c7 23", 0xe40, 0x117f, 6],
    ["0f ae 2b", 0xe40, 0x1040, 4],
    ["0f ae 2b", 0xdc0, 0x10ff, 4],
    ["0f ae 03", 0x1000, 0x11ff, 6],
    ["0f ae 0b", 0x1000, 0x11ff, 4],
    ["0f ae 23", 0x1000, 0x1000, 6],
    ["0f ae 2b", 0x1000, 0x1000, 4],
  ] as const;
  for (const [code, area, address, error] of cases) {
    const r = run(code, { gpr: { [RAX]: 7n, [RBX]: BigInt(DATA + area) } });
    deepEqual([code, area, r.vector, r.address - DATA, r.error], [code, area, VEC.PF, address, error]);
  }
});
