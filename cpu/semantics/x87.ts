/**
 * Semantics of the x87: each mnemonic has a helper of its name that does everything (cpu/helpers/x87*.ts); the frequent ones try a fast
 * path of the runtime module first (cpu/x87/).
 */
import { ES } from "../helpers/float80.ts";
import { OPCODE_AT_FIP } from "../helpers/x87_stack.ts";
import type { Insn, MemOperand, Operand } from "../insn.ts";
import { VEC, X87_CW, X87_FDP, X87_FIP, X87_FOP, X87_RESULT, X87_RESULT_SE, X87_SW, X87_TAG } from "../layout.ts";
import { X87_ROWS } from "../opcodes/x87.ts";
import type { Sem, Semantic } from "../sem.ts";
import {
  FROM_F32,
  FROM_F64,
  FROM_INTEGER,
  OP_ADD,
  OP_DIV,
  OP_DIVR,
  OP_MUL,
  OP_SUB,
  OP_SUBR,
  TO_80,
  TO_F32,
  TO_F64,
  TO_INTEGER,
} from "../x87/mod.ts";
import { add, and, call, eq, eqz, type Expr, i32, i64, ne, or, signExtend, toI64s, toI64u } from "../wasm/expr.ts";

const fast = (name: string, ...args: (Expr | number)[]): Expr =>
  call(name, "i32", ...args.map((a) => typeof a === "number" ? i32(a) : a));
const stNumber = (op: Operand): number => op.kind === "st" ? op.n : 0;
const memory = (i: Insn): MemOperand | undefined => i.ops[0]?.kind === "mem" ? i.ops[0] : undefined;

/** Raises a pending unmasked exception before memory is touched. */
const wait = (s: Sem): void => s.raise(VEC.MF, 0, and(s.state(X87_SW, "u16"), i32(ES)));

/** Goes on with `then` when the fast path has returned other than 0, else the helper does the instruction. */
function attempt(s: Sem, i: Insn, result: Expr, then?: (result: Expr) => void): void {
  const done = s.let(result), op = memory(i);
  s.helperIf(eqz(done), i.name, () => {
    then?.(done);
    s.setState(X87_FIP, "i64", s.pc());
    s.setState(X87_FOP, "u16", i32(OPCODE_AT_FIP));
    if (op) s.setState(X87_FDP, "i64", s.address(op));
  });
}

interface Loaded {
  bits: Expr;
  kind: number;
}
function loadReal(s: Sem, op: MemOperand): Loaded {
  wait(s);
  return { bits: toI64u(s.read(op)), kind: op.size === 4 ? FROM_F32 : FROM_F64 };
}
function loadInteger(s: Sem, op: MemOperand): Loaded {
  wait(s);
  return { bits: toI64s(signExtend(s.read(op), op.size)), kind: FROM_INTEGER };
}

// ---- loads
const fld: Semantic = (s, i) => {
  const op = memory(i);
  if (!op) return attempt(s, i, fast("x87_push_st", stNumber(i.ops[0])));
  if (op.size === 10) {
    wait(s);
    const at = s.address(op), low = s.load(at, 8), high = s.load(add(at, i64(8)), 2);
    return attempt(s, i, fast("x87_push", low, high));
  }
  const { bits, kind } = loadReal(s, op);
  attempt(s, i, fast("x87_push_real", bits, kind));
};
const fild: Semantic = (s, i) => {
  const { bits, kind } = loadInteger(s, memory(i)!);
  attempt(s, i, fast("x87_push_real", bits, kind));
};
const constant = (significand: bigint, exponent: number): Semantic => (s, i) =>
  attempt(s, i, fast("x87_push", i64(significand), exponent));

// ---- arithmetic
const arithmetic = (operation: number, pops: number): Semantic => (s, i) => {
  const op = memory(i);
  if (!op) return attempt(s, i, fast("x87_op", operation, stNumber(i.ops[0]), stNumber(i.ops[1]), pops));
  const { bits, kind } = loadReal(s, op);
  attempt(s, i, fast("x87_op_real", operation, bits, kind));
};
const integerArithmetic = (operation: number): Semantic => (s, i) => {
  const { bits, kind } = loadInteger(s, memory(i)!);
  attempt(s, i, fast("x87_op_real", operation, bits, kind));
};
const OPERATIONS = { add: OP_ADD, sub: OP_SUB, subr: OP_SUBR, mul: OP_MUL, div: OP_DIV, divr: OP_DIVR };
const ARITHMETIC: [string, Semantic][] = Object.entries(OPERATIONS).flatMap(([name, operation]) => [
  [`f${name}`, arithmetic(operation, 0)],
  [`f${name}p`, arithmetic(operation, 1)],
  [`fi${name}`, integerArithmetic(operation)],
]);

// ---- comparison
const compare = (pops: number, integer = false): Semantic => (s, i) => {
  const op = memory(i);
  if (!op) {
    const n = i.ops.length === 0 ? 1 : stNumber(i.ops[i.ops.length - 1]);
    return attempt(s, i, fast("x87_com", n, pops, 1));
  }
  const { bits, kind } = integer ? loadInteger(s, op) : loadReal(s, op);
  attempt(s, i, fast("x87_com_real", bits, kind, pops));
};
const compareFlags = (pops: number): Semantic => (s, i) =>
  attempt(s, i, fast("x87_com", stNumber(i.ops[1]), pops, 0), (order) => {
    const none = i32(0);
    s.setFlags({ kind: "set", z: eq(order, i32(3)), p: none, c: eq(order, i32(2)), o: none, s: none, a: none });
  });

// ---- stores
const stored = (s: Sem, pops: number): void => void s.let(fast("x87_stored", pops));

const store = (pops: number): Semantic => (s, i) => {
  const op = memory(i);
  if (!op) return attempt(s, i, fast("x87_move", stNumber(i.ops[0]), pops));
  wait(s);
  if (op.size === 10) {
    return attempt(s, i, fast("x87_store", TO_80, 80, 0), () => {
      const at = s.address(op), end = s.let(add(at, i64(8)));
      // Nothing is stored when only the first part could be.
      s.load(at, 8, { write: true });
      s.load(end, 2, { write: true });
      s.store(at, 8, s.state(X87_RESULT, "i64"));
      s.store(end, 2, s.state(X87_RESULT_SE, "u16"));
      stored(s, pops);
    });
  }
  attempt(s, i, fast("x87_store", op.size === 8 ? TO_F64 : TO_F32, 8 * op.size, 0), () => {
    s.write(op, s.state(X87_RESULT, op.size === 8 ? "i64" : "i32"));
    stored(s, pops);
  });
};
const storeInteger = (pops: number, truncate: boolean): Semantic => (s, i) => {
  const op = memory(i)!;
  wait(s);
  attempt(s, i, fast("x87_store", TO_INTEGER, 8 * op.size, truncate ? 1 : 0), () => {
    s.write(op, s.state(X87_RESULT, op.size === 8 ? "i64" : "i32"));
    stored(s, pops);
  });
};

// ---- the rest
const sign = (keep: number, flip: number): Semantic => (s, i) => attempt(s, i, fast("x87_sign", keep, flip));
const conditional = (cc: number): Semantic => (s, i) => attempt(s, i, fast("x87_cmov", s.cond(cc), stNumber(i.ops[1])));

const fldcw: Semantic = (s, i) => {
  wait(s);
  const op = memory(i)!, value = s.read(op);
  // With everything masked no exception becomes pending.
  s.helperIf(
    ne(and(value, i32(0x3f)), i32(0x3f)),
    i.name,
    () => s.setState(X87_CW, "u16", or(and(value, i32(0x1f3f)), i32(0x40))),
  );
};
const storeWord = (field: number): Semantic => (s, i) => {
  const op = memory(i);
  if (op) s.write(op, s.state(field, "u16"));
  else s.setReg(0, 2, s.state(field, "u16"));
};

const FAST: Readonly<Record<string, Semantic>> = {
  ...Object.fromEntries(ARITHMETIC),
  fld,
  fild,
  fld1: constant(1n << 63n, 0x3fff),
  fldz: constant(0n, 0),
  fst: store(0),
  fstp: store(1),
  fist: storeInteger(0, false),
  fistp: storeInteger(1, false),
  fisttp: storeInteger(1, true),
  fcom: compare(0),
  fcomp: compare(1),
  fcompp: compare(2),
  fucom: compare(0),
  fucomp: compare(1),
  fucompp: compare(2),
  ficom: compare(0, true),
  ficomp: compare(1, true),
  ftst: (s, i) => attempt(s, i, fast("x87_com_real", i64(0), FROM_INTEGER, 0)),
  fcomi: compareFlags(0),
  fcomip: compareFlags(1),
  fucomi: compareFlags(0),
  fucomip: compareFlags(1),
  fxch: (s, i) => attempt(s, i, fast("x87_exchange", stNumber(i.ops[0]))),
  fchs: sign(0xffff, 0x8000),
  fabs: sign(0x7fff, 0),
  fprem: (s, i) => attempt(s, i, fast("x87_remainder")),
  fsqrt: (s, i) => attempt(s, i, fast("x87_root")),
  frndint: (s, i) => attempt(s, i, fast("x87_integer")),
  fcmovb: conditional(2),
  fcmovnb: conditional(3),
  fcmove: conditional(4),
  fcmovne: conditional(5),
  fcmovbe: conditional(6),
  fcmovnbe: conditional(7),
  fcmovu: conditional(10),
  fcmovnu: conditional(11),
  fldcw,
  fnstcw: storeWord(X87_CW),
  fnstsw: storeWord(X87_SW),
  fwait: wait,
  emms: (s) => {
    wait(s);
    s.setState(X87_TAG, "u8", i32(0));
    s.setState(X87_SW, "u16", and(s.state(X87_SW, "u16"), i32(~0x3800)));
  },
};

export const X87: Readonly<Record<string, Semantic>> = Object.fromEntries(
  X87_ROWS.map(({ name }): [string, Semantic] => [name, FAST[name] ?? ((s) => s.helper(name))]),
);
