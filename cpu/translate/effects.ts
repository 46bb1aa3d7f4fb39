/** Finds the register and flag effects of an instruction by running its semantics against a recording back end. */
import { definesFlag, FLAG_BIT, FLAG_LIST } from "../flags.ts";
import type { Insn, MemOperand, Operand } from "../insn.ts";
import type { AccessOptions, Flag, FlagDef, Sem } from "../sem.ts";
import { semanticOf } from "../semantics/mod.ts";
import { loadOp } from "../memory_ops.ts";
import { Forms } from "../interp/forms.ts";
import { type Expr, int, LOADS, local, type LocalExpr, type ValType } from "../wasm/expr.ts";
import { CC_FLAGS, type Effects, gprBit, xmmBit } from "./regs.ts";

const RSP = 4;
const LEAVES: Record<ValType, LocalExpr> = {
  i32: local("i32", 0),
  i64: local("i64", 0),
  f32: local("f32", 0),
  f64: local("f64", 0),
  v128: local("v128", 0),
};
/** Any value: only its type matters here. */
const leaf = (type: ValType): LocalExpr => LEAVES[type];
/** The constant of which VEX.128 forms make the upper half. */
export const isZero = (e: Expr): boolean => e.kind === "const" && e.n === 0;
const typeOf = (size: number): ValType => size === 16 ? "v128" : size === 8 ? "i64" : "i32";

class EffectSem implements Sem {
  readonly e: Effects = {
    uses: 0,
    defs: 0,
    writes: 0,
    highUses: 0,
    highDefs: 0,
    highWrites: 0,
    highZeros: 0,
    flagUses: 0,
    flagDefs: 0,
    flagsSometimes: false,
    helper: false,
    leaves: false,
    moves: 0,
    stackAt: 0,
    stackBytes: 0,
    operandAt: -1,
    writesOperand: false,
    semantic: undefined,
    arithmetic: false,
  };
  #inIf = false;

  constructor(private readonly i: Insn) {}

  #use(bit: number): void {
    if (!(this.e.defs & bit)) this.e.uses |= bit;
  }
  #def(bit: number, whole: boolean): void {
    this.e.writes |= bit;
    if (whole && !this.#inIf) this.e.defs |= bit;
    else this.#use(bit);
  }

  read(op: Operand, opts?: AccessOptions): Expr {
    switch (op.kind) {
      case "reg":
        this.#use(gprBit(op.n));
        return leaf(typeOf(op.size));
      case "xmm":
        return this.xmm(op);
      case "mmx":
        return leaf("i64");
      case "imm":
        return int(this.i.size === 8 ? 8 : 4, op.value);
      case "mem":
        this.e.leaves = true;
        this.address(op);
        return leaf(LOADS[loadOp(op.size, opts)][1]);
      default:
        throw new Error(`Cannot read operand kind ${op.kind}`);
    }
  }
  write(op: Operand): void {
    if (op.kind === "reg") this.#def(gprBit(op.n), op.size >= 4);
    else if (op.kind === "xmm") this.setXmm(op);
    else if (op.kind === "mem") {
      this.e.leaves = true;
      this.address(op);
    }
  }
  rmw(op: Operand): Expr {
    return this.read(op);
  }
  readPair(op: MemOperand): readonly [Expr, Expr] {
    this.e.leaves = true;
    this.address(op);
    return [leaf("v128"), leaf("v128")];
  }
  writePair(op: MemOperand): void {
    this.e.leaves = true;
    this.address(op);
  }
  staticImm(op: Operand): number {
    return op.kind === "imm" ? Number(op.value & 0xffn) : 0;
  }
  address(op: MemOperand): Expr {
    return this.offset(op);
  }
  offset(op: MemOperand): Expr {
    if (op.base >= 0) this.#use(gprBit(op.base));
    if (op.index >= 0) this.#use(gprBit(op.index));
    return leaf("i64");
  }
  reg(n: number, size: number): Expr {
    this.#use(gprBit(n));
    return leaf(typeOf(size));
  }
  setReg(n: number, size: number): void {
    this.#def(gprBit(n), size >= 4);
  }
  xmm(op: Operand): Expr {
    if (op.kind === "xmm") this.#use(xmmBit(op.n));
    return leaf("v128");
  }
  setXmm(op: Operand): void {
    if (op.kind === "xmm") this.#def(xmmBit(op.n), true);
  }
  ymmHigh(op: Operand): Expr {
    if (op.kind === "xmm" && !((this.e.highDefs >> op.n) & 1)) this.e.highUses |= 1 << op.n;
    return leaf("v128");
  }
  setYmmHigh(op: Operand, value: Expr): void {
    if (op.kind === "xmm") this.#defHigh(op.n, isZero(value));
  }
  #defHigh(n: number, zero: boolean): void {
    const bit = 1 << n;
    this.e.highWrites |= bit;
    if (this.#inIf) {
      this.e.highUses |= bit & ~this.e.highDefs;
      return;
    }
    this.e.highDefs |= bit;
    if (zero) this.e.highZeros |= bit;
  }
  clearYmm(whole: boolean): void {
    for (let n = 0; n < 16; n++) {
      if (whole) this.#def(xmmBit(n), true);
      this.#defHigh(n, true);
    }
  }
  xmmReg(n: number): Expr {
    this.#use(xmmBit(n));
    return leaf("v128");
  }
  load(_address: Expr, bytes: number, opts?: AccessOptions): Expr {
    this.e.leaves = true;
    return leaf(LOADS[loadOp(bytes, opts)][1]);
  }
  store(): void {
    this.e.leaves = true;
  }
  push(): void {
    this.e.leaves = true;
    this.#use(gprBit(RSP));
    this.#def(gprBit(RSP), true);
  }
  pop(size: number): Expr {
    this.e.leaves = true;
    this.#use(gprBit(RSP));
    return leaf(typeOf(size));
  }
  popped(): void {
    this.#use(gprBit(RSP));
    this.#def(gprBit(RSP), true);
  }
  state(_offset: number, type: "i32" | "i64" | "u16" | "u8"): Expr {
    return leaf(type === "i64" ? "i64" : "i32");
  }
  setState(): void {}
  mmx(): Expr {
    return leaf("i64");
  }
  setMmx(): void {}
  #useFlags(bits: number): void {
    this.e.flagUses |= bits & ~this.e.flagDefs;
  }
  flag(f: Flag): Expr {
    this.#useFlags(FLAG_BIT[f]);
    return leaf("i32");
  }
  setFlags(def: FlagDef): void {
    for (const f of FLAG_LIST) {
      if (!definesFlag(def, f)) continue;
      const bit = FLAG_BIT[f];
      if (this.#inIf) this.#useFlags(bit);
      else this.e.flagDefs |= bit;
    }
    if (this.#inIf) this.e.flagsSometimes = true;
  }
  cond(cc: number): Expr {
    this.#useFlags(CC_FLAGS[cc]);
    return leaf("i32");
  }
  let(value: Expr): Expr {
    return value.kind === "const" ? value : leaf(value.type);
  }
  if(_cond: Expr, then: () => void, otherwise?: () => void): void {
    const outer = this.#inIf;
    this.#inIf = true;
    then();
    otherwise?.();
    this.#inIf = outer;
  }
  raise(): void {
    this.e.leaves = true;
  }
  trap(): void {}
  jump(target: Operand): void {
    if (target.kind !== "rel") this.read(target);
  }
  branch(): void {}
  callNear(target: Operand): void {
    if (target.kind !== "rel") this.read(target);
    this.push();
  }
  ret(): void {
    this.pop(8);
    this.popped();
  }
  /** RCX and R11 are written, and anything by the kernel. */
  syscall(): void {
    this.e.helper = true;
  }
  helper(): void {
    this.e.helper = true;
  }
  helperIf(_cond: Expr, _name: string, otherwise: () => void): void {
    this.e.leaves = true;
    otherwise();
  }
  arithmetic(_helper: string, fast: () => void): void {
    this.e.arithmetic = true;
    fast();
  }
  pc(): Expr {
    return leaf("i64");
  }
}

const VARIABLE_SHIFTS = new Set(["shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd"]);

/** Effects of `i`; an instruction without semantics (invalid) has none. */
export function effectsOf(i: Insn): Effects {
  return i.effects ??= i.ops.every(plain) || PLAIN_IMMEDIATES.has(i.name) ? sharedEffects(i) : findEffects(i);
}

/** Are effects the same whatever the operand's value is, as long as it names the same registers? */
const plain = (op: Operand): boolean => op.kind !== "imm" && !(op.kind === "mem" && op.vector !== undefined);
/** Instructions of which that is so with immediates too. (Shifts by zero set no flags.) */
const PLAIN_IMMEDIATES = new Set(["mov", "add", "sub", "and", "or", "xor", "adc", "sbb", "cmp", "test", "push", "imul"]);

const forms = new Forms();
/** Effects by the registers that are named, of each form. */
const byRegisters: Map<number, Effects>[] = [];

function sharedEffects(i: Insn): Effects {
  let form = forms.find(i);
  if (form === undefined) forms.add(i, form = byRegisters.push(new Map()) - 1);
  const key = registersOf(i), known = byRegisters[form].get(key);
  if (known) return known;
  const e = findEffects(i);
  // How far RSP moves is in an operand.
  if (!(e.writes & gprBit(RSP)) || i.ops.length < 2) byRegisters[form].set(key, e);
  return e;
}
function registersOf({ ops }: Insn): number {
  let key = 0;
  for (let k = 0; k < ops.length; k++) {
    const op = ops[k];
    if (op.kind === "reg" || op.kind === "xmm") key |= op.n << 4 * k;
    else if (op.kind === "mem") key |= (op.base + 1) << 16 | (op.index + 1) << 21;
  }
  return key;
}

/** Instructions that only read their first operand. */
const READS_FIRST = new Set(["cmp", "test", "push", "call", "jmp", "bt", "mul", "imul", "div", "idiv", "fld", "fild"]);

function findEffects(i: Insn): Effects {
  const sem = new EffectSem(i), { e } = sem, semantic = semanticOf(i.name);
  semantic?.(sem, i);
  if (!i.row.fault) e.semantic = semantic;
  if (VARIABLE_SHIFTS.has(i.name) && i.ops.at(-1)?.kind === "reg") {
    // With a count of zero the flags pass through: not read, unless somebody reads them later.
    e.flagUses = i.name === "rcl" || i.name === "rcr" ? FLAG_BIT.c : 0;
    e.flagDefs = 0;
  }
  e.moves = stackChange(i, e.writes);
  stackAccess(i, e);
  e.operandAt = i.ops.findIndex((o) => o.kind === "mem" && o.size > 0);
  e.writesOperand = e.operandAt === 0 && !READS_FIRST.has(i.name);
  return e;
}

/** Constant change of RSP by an instruction; NaN when it is not constant. 0 for those that do not touch it. */
function stackChange(i: Insn, writes: number): number {
  if (!(writes & gprBit(RSP))) return 0;
  const [to, by] = i.ops;
  switch (i.name) {
    case "push":
    case "pushf":
      return -i.size;
    case "pop":
      return to?.kind === "reg" && to.n === RSP ? NaN : i.size;
    case "popf":
      return i.size;
    case "call":
      return 0;
    case "add":
    case "sub":
      if (to.kind !== "reg" || to.n !== RSP || to.size !== 8 || by.kind !== "imm") return NaN;
      return i.name === "add" ? Number(by.value) : -Number(by.value);
    case "lea":
      if (to.kind !== "reg" || to.n !== RSP || to.size !== 8 || by.kind !== "mem") return NaN;
      return by.base === RSP && by.index < 0 && by.addressSize === 8 && !by.seg ? Number(by.disp) : NaN;
  }
  return NaN;
}

function stackAccess(i: Insn, e: Effects): void {
  switch (i.name) {
    case "push":
    case "pushf":
      e.stackAt = -i.size;
      e.stackBytes = i.size;
      return;
    case "call":
      e.stackAt = -8;
      e.stackBytes = 8;
      return;
    case "pop":
    case "popf":
      e.stackBytes = i.size;
      return;
    case "ret":
      e.stackBytes = 8;
  }
}
