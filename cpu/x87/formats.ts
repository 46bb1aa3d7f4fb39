/** What the fast paths are called with, and their signatures. */
import type { FuncImport } from "../wasm/encoder.ts";
import { F } from "./code.ts";

/** What bits from memory (or a register) are: 32- or 64-bit floating point, or a sign-extended integer. */
export const FROM_F32 = 0, FROM_F64 = 1, FROM_INTEGER = 2;
/** Arithmetic: destination op source. */
export const OP_ADD = 0, OP_SUB = 1, OP_SUBR = 2, OP_MUL = 3, OP_DIV = 4, OP_DIVR = 5;
/** Destination formats of `x87_store`. */
export const TO_F32 = 0, TO_F64 = 1, TO_80 = 2, TO_INTEGER = 3;

export const X87_IMPORTS = [
  /** (significand, sign and exponent) */
  { name: "x87_push", type: F(["i64", "i32"], "i32") },
  /** (bits, FROM_*) */
  { name: "x87_push_real", type: F(["i64", "i32"], "i32") },
  /** ST(n) on top. */
  { name: "x87_push_st", type: F(["i32"], "i32") },
  /** (OP_*, destination ST(n), source ST(n), pops) */
  { name: "x87_op", type: F(["i32", "i32", "i32", "i32"], "i32") },
  /** (OP_*, bits, FROM_*): ST(0) op= value. */
  { name: "x87_op_real", type: F(["i32", "i64", "i32"], "i32") },
  /** (ST(n), pops, set condition codes) -> 0, or 1 greater, 2 less, 3 equal. */
  { name: "x87_com", type: F(["i32", "i32", "i32"], "i32") },
  /** (bits, FROM_*, pops), sets condition codes. */
  { name: "x87_com_real", type: F(["i64", "i32", "i32"], "i32") },
  /** ST(0) = remainder of ST(0) / ST(1), truncated quotient (FPREM). */
  { name: "x87_remainder", type: F([], "i32") },
  { name: "x87_root", type: F([], "i32") },
  /** FRNDINT. */
  { name: "x87_integer", type: F([], "i32") },
  { name: "x87_exchange", type: F(["i32"], "i32") },
  /** Sign of ST(0): (and mask, xor mask). */
  { name: "x87_sign", type: F(["i32", "i32"], "i32") },
  /** FCMOVcc: (condition, ST(n)) */
  { name: "x87_cmov", type: F(["i32", "i32"], "i32") },
  /** ST(n) = ST(0): (n, pops) */
  { name: "x87_move", type: F(["i32", "i32"], "i32") },
  /**
   * (TO_*, bits of an integer, truncate) -> ST(0) converted in X87_RESULT and X87_RESULT_SE, the status word to be in X87_RESULT_SW.
   */
  { name: "x87_store", type: F(["i32", "i32", "i32"], "i32") },
  /** After the value has reached memory: (pops). */
  { name: "x87_stored", type: F(["i32"], "i32") },
] as const satisfies readonly FuncImport[];
