/** Which exception a non-canonical address raises: #SS for references through the stack segment, else #GP (Intel SDM vol. 3, 6.15). */
import type { Access } from "./access.ts";
import type { Ram } from "./api.ts";
import { decode, MAX_INSN_BYTES } from "./decode.ts";
import type { MemOperand } from "./insn.ts";
import { FS_BASE, GPR, GS_BASE, STATE } from "./layout.ts";

const RSP = 4, RBP = 5;
/** Instructions that access the stack without naming it. */
const IMPLICIT = new Set(["push", "pop", "call", "ret", "pushf", "popf", "enter", "leave", "pushsreg", "popsreg"]);

const isCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;

const register = (ram: Ram, n: number): bigint => ram.view.getBigUint64(STATE + GPR + 8 * n, true);

function addressOf(ram: Ram, m: MemOperand): bigint {
  let a = m.disp;
  if (m.base >= 0) a += register(ram, m.base);
  if (m.index >= 0) a += register(ram, m.index) << BigInt(m.scale);
  if (m.addressSize === 4) a &= 0xffff_ffffn;
  if (m.seg !== undefined) a += ram.view.getBigUint64(STATE + (m.seg === "fs" ? FS_BASE : GS_BASE), true);
  return BigInt.asUintN(64, a);
}

/** Whether the instruction at `pc`, which has just used a non-canonical address, used it as a stack reference. */
export function isStackReference(access: Access, ram: Ram, pc: number): boolean {
  const bytes = new Uint8Array(MAX_INSN_BYTES);
  let available = 0;
  while (available < bytes.length) {
    const n = access.run(pc + available, bytes.length - available, false);
    if (n === 0) break;
    const pa = access.translate(pc + available, 1, false);
    bytes.set(ram.u8.subarray(pa, pa + n), available);
    available += n;
  }
  const insn = decode(bytes, 0, available, pc);
  if ("invalid" in insn) return false;
  const memory = insn.ops.find((op): op is MemOperand => op.kind === "mem");
  if (memory !== undefined && memory.seg === undefined && (memory.base === RSP || memory.base === RBP)) return true;
  if (!IMPLICIT.has(insn.name)) return false;
  if (memory === undefined) return true;
  // PUSH and CALL read their operand before they write to the stack, POP reads the stack first.
  return insn.name === "pop" ? !isCanonical(register(ram, RSP)) : isCanonical(addressOf(ram, memory));
}
