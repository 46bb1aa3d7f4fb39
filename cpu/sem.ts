/**
 * The interface instruction semantics are written against. Two back ends implement it: the generator of interpreter handlers and
 * the region translator. A semantic function runs once per *translation* (of an instruction form, or of an instruction) and describes what
 * happens at execution.
 *
 * Values: operands of 1, 2 and 4 bytes are i32 expressions, of 8 bytes i64, of 16 bytes v128. 1- and 2-byte values are zero-extended
 * when read; when written only their low bytes count.
 *
 * Order: everything that can fault (load, store, rmw, push, pop, raise) must come before the first `write`/`setReg`/`setFlags` to a
 * register, so that faults are precise. The order among memory accesses is the architectural one.
 *
 * In semantics never look at register numbers, immediate values, displacements or targets of operands (they are run-time data in the
 * interpreter): use `read`/`staticImm`. Row, sizes, operand kinds, the number of an ST(i) operand, cc, rep, lock, seg and
 * addressSize may be looked at.
 */
import type { Expr } from "./wasm/expr.ts";
import type { Insn, MemOperand, Operand, XmmOperand } from "./insn.ts";

export type Semantic = (s: Sem, i: Insn) => void;

/** Letters of arithmetic flags. */
export type Flag = "c" | "p" | "a" | "z" | "s" | "o";

/**
 * What an instruction does to the arithmetic flags. a, b: operands, r: result, all of the width of `size` and bound (`let`, read, constants).
 * Values of sizes 1 and 2 must be truncated (zero-extended).
 */
export type FlagDef =
  /** r = a + b (+ carry c). */
  | { kind: "add"; size: number; a: Expr; b: Expr; r: Expr; carry?: Expr }
  /** r = a - b (- carry c). */
  | { kind: "sub"; size: number; a: Expr; b: Expr; r: Expr; carry?: Expr }
  /** C = O = A = 0; Z, S, P from r. `of`: r is nothing but these two values ANDed (TEST). */
  | { kind: "logic"; size: number; r: Expr; of?: readonly [Expr, Expr] }
  /** r = a + 1 / a - 1; C unchanged. */
  | { kind: "inc" | "dec"; size: number; r: Expr }
  /**
   * Anything else; a flag that is not named keeps its value. `r` gives Z, S and P; single letters are i32 expressions (0 or 1) and win over `r`.
   * `compared`: two f32 or f64 of which Z, P and C tell how they compare (UCOMISD), so that a condition can be one comparison.
   */
  | {
    kind: "set";
    compared?: { a: Expr; b: Expr };
    r?: { size: number; value: Expr };
    c?: Expr;
    p?: Expr;
    a?: Expr;
    z?: Expr;
    s?: Expr;
    o?: Expr;
  };

export interface AccessOptions {
  /** Must be naturally aligned (MOVAPS ...): raises #GP otherwise. */
  aligned?: boolean;
  /**
   * Type wanted for a *memory* read of 4 or 8 bytes: f32, f64, or v128 (zero-extended, v128.loadN_zero). A hint: a back end may
   * return the plain i32 or i64 instead.
   */
  as?: "f32" | "f64" | "v128";
  /** A load that a store to the same address follows: it is checked for writing, so that the store cannot fault. */
  write?: boolean;
}

export interface Sem {
  // ---- operands
  /** Value of a register, memory or immediate operand (memory is accessed here, once per call). */
  read(op: Operand, opts?: AccessOptions): Expr;
  /** Writes a register or memory operand. 4-byte GPR writes clear the upper half. XMM operands: whole register when the value is v128. */
  write(op: Operand, value: Expr, opts?: AccessOptions): void;
  /** Reads an operand that `write` will then modify: memory is checked for writing now, so the later `write` cannot fault. */
  rmw(op: Operand): Expr;
  /** The two halves, low first, of 32 bytes of memory; one access as far as faults are concerned. Likewise for writing. */
  readPair(op: MemOperand, opts?: AccessOptions): readonly [Expr, Expr];
  writePair(op: MemOperand, value: readonly [Expr, Expr], opts?: AccessOptions): void;
  /** Value of the instruction's 8-bit immediate at translation time (0..255); the row must say `staticImm`. */
  staticImm(op: Operand): number;
  /** Effective address with segment base, i64. */
  address(op: MemOperand): Expr;
  /** Effective address without segment base, for LEA. */
  offset(op: MemOperand): Expr;

  // ---- registers and memory
  /** GPR n (a fixed number: implied registers only): low `size` bytes. */
  reg(n: number, size: number): Expr;
  setReg(n: number, size: number, value: Expr): void;
  /** Whole 128-bit vector register named by an xmm operand. */
  xmm(op: Operand): Expr;
  setXmm(op: Operand, value: Expr): void;
  /** Upper 128 bits of the YMM register named by an xmm operand. Legacy SSE leaves them alone, VEX.128 clears them. */
  ymmHigh(op: Operand): Expr;
  setYmmHigh(op: Operand, value: Expr): void;
  /** Clears the upper halves of all YMM registers, or the registers as a whole. */
  clearYmm(whole: boolean): void;
  /** Implied vector register by number. */
  xmmReg(n: number): Expr;
  /**
   * Low lane of an XMM register (`lazy`: perhaps with a NaN correction to come, see `unchecked`), and writing it (`clear`: the rest becomes
   * zero), and copying a register. Only in back ends that keep scalars apart.
   */
  copyXmm?(to: XmmOperand, from: XmmOperand): void;
  low?(op: XmmOperand, type: "f32" | "f64", lazy: boolean): Expr;
  setLow?(op: XmmOperand, value: Expr, clear: boolean): void;
  /** Guest memory at an i64 linear (virtual) address. 1, 2, 4 -> i32 (zero-extended), 8 -> i64, 16 -> v128. */
  load(address: Expr, bytes: number, opts?: AccessOptions): Expr;
  store(address: Expr, bytes: number, value: Expr, opts?: AccessOptions): void;
  /** Stack push / pop of `size` bytes (2 or 8). `pop` only returns the value: RSP moves when `popped` is called, after all that can fault. */
  push(value: Expr, size: number): void;
  pop(size: number): Expr;
  popped(size: number): void;
  /** A field of the CPU state that is no GPR, vector register or arithmetic flag, by its offset in cpu/layout.ts. */
  state(offset: number, type: "i32" | "i64" | "u16" | "u8"): Expr;
  setState(offset: number, type: "i32" | "i64" | "u16" | "u8", value: Expr): void;
  /** MMX register. */
  mmx(op: Operand): Expr;
  setMmx(op: Operand, value: Expr): void;

  // ---- flags
  flag(f: Flag): Expr;
  setFlags(def: FlagDef): void;
  /** Intel condition code 0..15 (O NO B AE E NE BE A S NS P NP L GE LE G) as i32 0/1. */
  cond(cc: number): Expr;

  // ---- values
  /** Evaluates now, once; the result is an immutable local. */
  let(value: Expr): Expr;

  // ---- control inside an instruction
  /** Statement-level if; bodies may write registers and flags (both arms merge) and may access memory. Keep it rare: prefer `select`. */
  if(cond: Expr, then: () => void, otherwise?: () => void): void;
  /** Raises an exception with RIP at this instruction when `cond` is true (always, when omitted). Vector numbers: VEC in layout.ts. */
  raise(vector: number, errorCode: number, cond?: Expr): void;
  /** Raises a trap (INT3, INT1): like `raise` without a condition, but RIP is the next instruction. */
  trap(vector: number): void;

  // ---- control flow between instructions (at most one of these, last)
  jump(target: Operand): void;
  /** Conditional jump; falls through otherwise. */
  branch(cond: Expr, target: Operand): void;
  /** Pushes the return address and jumps. The operand is `rel`, or a register/memory operand (near indirect). */
  callNear(target: Operand): void;
  /** RET; `extra` = bytes to release after the return address (an immediate operand). */
  ret(extra?: Operand): void;
  /** Ends the instruction with `Trap.Syscall`: sets RCX, R11, RIP. */
  syscall(): void;
  /**
   * Calls a JavaScript helper (cpu/helpers/: registered by name) that works on the state block in memory: all registers are written
   * back before and reloaded after. The helper gets (cpu internals, insn) and returns nothing, or throws/raises through its context.
   * For rare or complicated instructions: x87, FXSAVE, CPUID, string instructions with REP, IN/OUT.
   */
  helper(name: string): void;
  /**
   * Calls the helper when `cond` is true, which must leave the instruction as if nothing had been done so far, and does `otherwise` if not.
   * For fast paths that give up in rare cases. At most once, last.
   */
  helperIf(cond: Expr, name: string, otherwise: () => void): void;
  /**
   * Floating-point arithmetic that `fast` carries out as the default modes of MXCSR want it, without exception flags. When more is asked for
   * (cpu/mxcsr.ts) the helper does the instruction instead. The whole instruction is in it.
   */
  arithmetic(helper: string, fast: () => void): void;

  /** Address of this instruction, i64. */
  pc(): Expr;
}
