/**
 * Brings a fresh Unicorn engine from privilege level 0, where it begins, to level 3 with a descriptor table like Hedra's, and makes RDTSC
 * and RDTSCP raise #GP, so that they can be given Hedra's time. This is done by code that the engine executes, because Unicorn's own
 * functions do not change the privilege level.
 */

/** Non-canonical, so that no program's memory can be there; Unicorn translates no addresses. */
export const TABLES = 0x9000_0000_0000n;
export const TABLES_BYTES = 4096;
/** Code, where it ends, and the bytes of all: GDT, its pseudo-descriptor, the frame for IRET, code. */
const POINTER = 0x80, FRAME = 0x100, CODE = 0x200, END = 0x300;
export const BEGIN = TABLES + BigInt(CODE), UNTIL = TABLES + BigInt(END);

const USER_CODE = 0x00af_fb00_0000_ffffn, USER_DATA = 0x00cf_f300_0000_ffffn;
const CS = 0x2bn, SS = 0x23n;
/** CR4 (SDM vol. 3, 2.5): TSD, PAE, OSFXSR, OSXMMEXCPT, FSGSBASE. */
const CR4 = [0x24, 0x06, 0x01, 0];
const PROGRAM = [
  ...[0x48, 0xb8, 0, 0, 0, 0, 0, 0x90, 0, 0], // mov rax, TABLES
  ...[0x0f, 0x01, 0x90, POINTER, 0, 0, 0], // lgdt [rax + POINTER]
  ...[0x48, 0x8d, 0xa0, 0, FRAME >> 8, 0, 0], // lea rsp, [rax + FRAME]
  ...[0x0f, 0x20, 0xe0], // mov rax, cr4
  ...[0x0d, ...CR4], // or eax, CR4
  ...[0x0f, 0x22, 0xe0], // mov cr4, rax
  ...[0x48, 0xcf], // iretq
];

/** Content of the memory at TABLES. */
export function userModeTables(): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(TABLES_BYTES), view = new DataView(out.buffer);
  for (const [selector, descriptor] of [[0x18, USER_CODE], [0x20, USER_DATA], [0x28, USER_CODE]] as const) {
    view.setBigUint64(selector, descriptor, true);
  }
  view.setUint16(POINTER, 0x2f, true);
  view.setBigUint64(POINTER + 2, TABLES, true);
  [UNTIL, CS, 2n, 0n, SS].forEach((word, n) => view.setBigUint64(FRAME + 8 * n, word, true));
  out.set(PROGRAM, CODE);
  return out;
}
