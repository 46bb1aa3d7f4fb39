/** Finds handlers by the form of an instruction: what `formKey` says, in integers, because every decoded instruction asks. */
import type { Insn, Operand, OpRow } from "../insn.ts";

interface Form {
  readonly general: number;
  readonly operands: number;
  readonly extra: number;
  readonly slot: number;
}

const KIND: Record<Operand["kind"], number> = { reg: 0, mem: 1, imm: 2, rel: 3, xmm: 4, mmx: 5, st: 6, seg: 7 };
const SEG = { fs: 1, gs: 2 } as const, REP = { rep: 1, repne: 2 } as const;

export class Forms {
  readonly #rows = new Map<OpRow, Form[]>();

  /** Table slot of the handler for instructions like `i`. */
  find(i: Insn): number | undefined {
    const forms = this.#rows.get(i.row);
    if (!forms) return undefined;
    const general = generalBits(i), operands = operandBits(i), extra = extraBits(i);
    for (let k = 0; k < forms.length; k++) {
      const f = forms[k];
      if (f.general === general && f.operands === operands && f.extra === extra) return f.slot;
    }
    return undefined;
  }
  add(i: Insn, slot: number): void {
    let forms = this.#rows.get(i.row);
    if (!forms) this.#rows.set(i.row, forms = []);
    forms.push({ general: generalBits(i), operands: operandBits(i), extra: extraBits(i), slot });
  }
}

/** Size 5 bits, condition 4, prefixes 5, the fourth operand 9. */
function generalBits({ size, cc, rep, addressSize, seg, ops }: Insn): number {
  const prefixes = (rep ? REP[rep] : 0) | (addressSize === 4 ? 4 : 0) | (seg ? SEG[seg] << 3 : 0);
  return size | cc << 5 | prefixes << 9 | (ops.length > 3 ? bitsOf(ops[3]) << 14 : 0);
}
/** The first three operands, 9 bits each, and how many there are. */
function operandBits({ ops }: Insn): number {
  let bits = ops.length << 27;
  for (let k = 0; k < ops.length && k < 3; k++) bits |= bitsOf(ops[k]) << 9 * k;
  return bits;
}
function bitsOf(op: Operand): number {
  const kind = KIND[op.kind];
  switch (op.kind) {
    case "reg":
    case "imm":
    case "xmm":
      return kind | op.size << 3;
    case "st":
      return kind | op.n << 3;
    default:
      return kind;
  }
}
/** Of the memory operand: size 12 bits, parts of the address 4. An immediate that selects the operation: 8. */
function extraBits({ ops, row }: Insn): number {
  let bits = 0;
  for (let k = 0; k < ops.length; k++) {
    const op = ops[k];
    if (op.kind === "mem") {
      bits |= op.size << 4 | (op.base >= 0 ? 1 : 0) | (op.index >= 0 ? 2 : 0) | (op.seg ? SEG[op.seg] << 2 : 0);
    } else if (op.kind === "imm" && row.staticImm) bits |= Number(op.value & 0xffn) << 16;
  }
  return bits;
}
