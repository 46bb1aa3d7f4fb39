/** System instructions as user mode sees them; rows: cpu/opcodes/system.ts. */
import { FP_BUDGET, FP_TOLD, FP_TOLD_BUDGET, FS_BASE, GS_BASE, MXCSR, SEG_FS, SEG_GS, VEC } from "../layout.ts";
import { FLAGS_TOLD, JUST_TOLD, MXCSR_BITS, UNKNOWN_FLAGS } from "../mxcsr.ts";
import { SYSTEM_ROWS } from "../opcodes/system.ts";
import type { Sem, Semantic } from "../sem.ts";
import { add, and, i32, i64, mul, ne, or, shl, shr_s, shr_u, toI32, toI64u } from "../wasm/expr.ts";

/** CR0 as SMSW shows it: PE, MP, ET, NE, WP, PG (Hedron ABI 2.6). */
const CR0 = 0x8001_0033;

const helper = (name: string): Semantic => (s) => s.helper(name);

const readBase = (field: number): Semantic => (s, i) => {
  const base = s.state(field, "i64");
  s.write(i.ops[0], i.size === 8 ? base : toI32(base));
};

const writeBase = (field: number): Semantic => (s, i) => {
  const v = s.let(toI64u(s.read(i.ops[0])));
  // Bits 47..63 must be equal.
  if (i.size === 8) s.raise(VEC.GP, 0, ne(shr_s(shl(v, i64(16)), i64(16)), v));
  s.setState(field, "i64", v);
};

/** A fixed value into a register (operand size) or 16 bits of memory. */
const constant = (value: number): Semantic => (s, i) => {
  const [dst] = i.ops;
  s.write(dst, dst.kind === "mem" || i.size === 2 ? i32(value & 0xffff) : i.size === 8 ? i64(value) : i32(value));
};

/** SGDT, SIDT: limit and base are zero, for there are no such tables. */
const tableRegister: Semantic = (s, i) => {
  const [dst] = i.ops;
  if (dst.kind !== "mem") return s.raise(VEC.UD, 0);
  const address = s.let(s.address(dst));
  s.store(address, 8, i64(0));
  s.store(s.let(add(address, i64(8))), 2, i32(0));
};

/** No descriptor is visible: Z = 0 and the destination stays. */
const descriptor: Semantic = (s, i) => {
  s.let(s.read(i.ops[i.ops.length - 1]));
  s.setFlags({ kind: "set", z: i32(0) });
};

/** Flushing a line accesses it like a load. */
const touch: Semantic = (s, i) => {
  const [line] = i.ops;
  if (line.kind === "mem") s.let(s.load(s.address(line), 1));
};

const nothing: Semantic = () => {};

/** Rows that only raise: their `fault` says what. */
const FAULTS: Record<string, Semantic> = Object.fromEntries(
  SYSTEM_ROWS.filter((row) => row.fault).map((row): [string, Semantic] => [
    row.name,
    (s: Sem) => s.raise(row.fault === "gp" ? VEC.GP : VEC.UD, 0),
  ]),
);

/** Unknown flags show as UNKNOWN_FLAGS. */
const storeMxcsr: Semantic = (s, i) => {
  const field = s.state(MXCSR, "i32"), unknown = and(shr_u(field, i32(16)), i32(1));
  s.write(i.ops[0], or(and(field, i32(MXCSR_BITS)), mul(unknown, i32(UNKNOWN_FLAGS))));
  const told = s.let(or(field, mul(unknown, i32(FLAGS_TOLD))));
  s.setState(MXCSR, "i32", told);
  s.setState(FP_TOLD, "i32", or(told, i32(JUST_TOLD)));
  s.setState(FP_TOLD_BUDGET, "i32", s.state(FP_BUDGET, "i32"));
};

export const SYSTEM: Record<string, Semantic> = {
  ...FAULTS,
  movcr: helper("control_register"),
  movdr: helper("debug_register"),

  syscall: (s) => s.syscall(),
  int3: (s) => s.trap(VEC.BP),
  int1: (s) => s.trap(VEC.DB),
  int: helper("int_n"),

  iret: helper("iret"),
  retf: helper("retf"),
  callf: helper("callf"),
  jmpf: helper("jmpf"),

  in: helper("port_in"),
  out: helper("port_out"),
  ins: helper("ins"),
  outs: helper("outs"),

  cpuid: helper("cpuid"),
  rdtsc: helper("rdtsc"),
  rdtscp: helper("rdtscp"),
  rdrand: helper("random"),
  rdseed: helper("random"),
  // IA32_TSC_AUX keeps its reset value (Hedron ABI 2.6).
  rdpid: (s, i) => s.write(i.ops[0], i64(0)),

  rdfsbase: readBase(FS_BASE),
  rdgsbase: readBase(GS_BASE),
  wrfsbase: writeBase(FS_BASE),
  wrgsbase: writeBase(GS_BASE),
  movsreg: helper("move_segment"),
  pushsreg: (s, i) => {
    const [src] = i.ops;
    const selector = s.state(src.kind === "seg" && src.n === 5 ? SEG_GS : SEG_FS, "i32");
    s.push(i.size === 8 ? toI64u(selector) : selector, i.size);
  },
  popsreg: helper("pop_segment"),
  lss: helper("load_far"),
  lfs: helper("load_far"),
  lgs: helper("load_far"),
  lar: descriptor,
  lsl: descriptor,
  verr: descriptor,
  verw: descriptor,

  sldt: constant(0),
  str: constant(0),
  sgdt: tableRegister,
  sidt: tableRegister,
  smsw: constant(CR0),

  prefetch: nothing,
  prefetchw: nothing,
  clflush: touch,
  clflushopt: touch,
  clwb: touch,
  lfence: nothing,
  mfence: nothing,
  sfence: nothing,

  ldmxcsr: helper("ldmxcsr"),
  vldmxcsr: helper("ldmxcsr"),
  stmxcsr: storeMxcsr,
  vstmxcsr: storeMxcsr,
};
