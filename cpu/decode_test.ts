import assert from "node:assert/strict";
import { decode } from "./decode.ts";
import { disassemble } from "./disasm.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.trim().split(/\s+/), (b) => parseInt(b, 16));
const at = (hex: string, available?: number) => {
  const code = bytes(hex);
  return decode(code, 0, available ?? code.length, 0x1000);
};
const text = (hex: string): string => disassemble(at(hex));
const expectText = (hex: string, expected: string) => assert.equal(text(hex).replace(/ +/g, " "), expected);
const expectInvalid = (hex: string, invalid: string, length: number) => {
  const insn = at(hex);
  assert.ok("invalid" in insn, `${hex} decodes as ${disassemble(insn)}`);
  assert.deepEqual([insn.invalid, insn.length], [invalid, length]);
};

Deno.test("REX counts only directly before the opcode", () => {
  expectText("48 01 d8", "add rax,rbx");
  expectText("48 66 01 d8", "add ax,bx");
  expectText("66 48 01 d8", "add rax,rbx");
  expectText("41 48 01 d8", "add rax,rbx");
});

Deno.test("any REX prefix turns AH..BH into SPL..DIL", () => {
  expectText("88 e0", "mov al,ah");
  expectText("40 88 e0", "mov al,spl");
  expectText("88 fb", "mov bl,bh");
  expectText("44 88 fb", "mov bl,r15b");
});

Deno.test("the last of several F2 and F3 prefixes counts and wins over 66", () => {
  expectText("66 f3 0f bc c1", "tzcnt ax,cx");
  expectText("f2 f3 0f bc c1", "tzcnt eax,ecx");
  expectText("f3 f2 0f 58 c1", "addsd xmm0,xmm1");
  expectText("66 f2 0f 58 c1", "addsd xmm0,xmm1");
  expectText("66 0f 58 c1", "addpd xmm0,xmm1");
  expectText("0f 58 c1", "addps xmm0,xmm1");
});

Deno.test("RIP-relative operands are relative to the next instruction, immediate included", () => {
  const insn = at("c7 05 10 00 00 00 01 00 00 00");
  assert.ok(!("invalid" in insn) && insn.ops[0].kind === "mem");
  assert.deepEqual([insn.ops[0].disp, insn.ops[0].base, insn.ops[0].ripRelative], [0x101an, -1, true]);
});

Deno.test("an index of RSP means none, R12 is an index", () => {
  expectText("48 8b 04 24", "mov rax,QWORD PTR [rsp]");
  expectText("4a 8b 04 e4", "mov rax,QWORD PTR [rsp+r12*8]");
  expectText("8b 04 25 f0 ff ff ff", "mov eax,DWORD PTR ds:0xfffffffffffffff0");
  expectText("8b 45 f8", "mov eax,DWORD PTR [rbp-0x8]");
});

Deno.test("67 truncates addresses and changes the counter of JRCXZ", () => {
  expectText("67 8b 04 0b", "mov eax,DWORD PTR [ebx+ecx*1]");
  expectText("67 e3 00", "jecxz 0x1003");
});

Deno.test("only FS and GS overrides matter", () => {
  expectText("64 48 8b 04 25 28 00 00 00", "mov rax,QWORD PTR fs:0x28");
  expectText("2e 8b 00", "mov eax,DWORD PTR [rax]");
});

Deno.test("the operand size of stack and branch instructions is 64 bits", () => {
  expectText("50", "push rax");
  expectText("66 50", "push ax");
  expectText("41 57", "push r15");
  expectText("ff d0", "call rax");
  expectText("48 b8 88 77 66 55 44 33 22 11", "movabs rax,0x1122334455667788");
});

Deno.test("90 is NOP, F3 90 PAUSE, and with REX.B an exchange", () => {
  expectText("90", "nop");
  expectText("f3 90", "pause");
  expectText("41 90", "xchg r8d,eax");
  expectText("f3 0f 1e fa", "endbr64");
  expectText("66 0f 1f 44 00 00", "nop WORD PTR [rax+rax*1+0x0]".replace("+0x0", ""));
});

Deno.test("REP is kept for string instructions only", () => {
  expectText("f3 48 a5", "rep movsq");
  expectText("f2 ae", "repnz scasb");
  expectText("f3 a6", "repz cmpsb");
  expectText("f2 a4", "rep movsb");
  expectText("f3 01 d8", "add eax,ebx");
});

Deno.test("LOCK needs a memory destination and an instruction that allows it", () => {
  expectText("f0 48 0f b1 0b", "lock cmpxchg QWORD PTR [rbx],rcx");
  expectInvalid("f0 01 d8", "ud", 3);
  expectInvalid("f0 8b 00", "ud", 3);
});

Deno.test("opcodes that 64-bit mode took away raise #UD", () => {
  for (const op of ["06", "27", "37", "60", "61", "62 00", "82 c0 01", "9a", "c4", "d4", "ce", "ea"]) {
    const insn = decode(bytes(`${op}${" 00".repeat(15)}`), 0, 15, 0);
    assert.equal("invalid" in insn && insn.invalid, "ud", op);
  }
});

Deno.test("an instruction longer than 15 bytes raises #GP", () => {
  expectText(`${"66 ".repeat(14)}90`, "nop");
  expectInvalid(`${"66 ".repeat(15)}90`, "gp", 15);
  expectInvalid(`${"2e ".repeat(9)}c7 84 00 00 00 00 00 00 00 00 00`, "gp", 15);
});

Deno.test("missing bytes are asked for, whatever lies behind the available ones", () => {
  const code = bytes("c7 84 c8 00 01 00 00 78 56 34 12");
  for (let available = 0; available < code.length; available++) {
    assert.deepEqual(decode(code, 0, available, 0), { pc: 0, length: available, invalid: "more" });
  }
  assert.equal(decode(code, 0, code.length, 0).length, code.length);
});

Deno.test("F2 and F3 make other opcodes of MOVBE and RDRAND, which do not exist", () => {
  expectText("66 0f c7 f1", "rdrand cx");
  expectInvalid("f3 0f c7 f1", "ud", 4);
  expectText("0f 38 f0 01", "movbe eax,DWORD PTR [rcx]");
  expectInvalid("f3 0f 38 f0 01", "ud", 5);
});

Deno.test("fences ignore ModRM.rm, moves of control registers ModRM.mod", () => {
  expectText("0f ae f3", "mfence");
  expectText("0f ae ef", "lfence");
  expectText("0f 20 17", "movcr rdi,rdx");
});

Deno.test("bytes that are no instruction are fetched with the operands that their opcode would have", () => {
  expectInvalid("0f 38 4b 84 88 00 00 00 00", "ud", 9); // ModRM, SIB, 32-bit displacement
  expectInvalid("0f 3a 00 c0 12", "ud", 5); // map 0F 3A: an immediate byte
  expectInvalid("0f 25", "ud", 2);
  expectInvalid("66 9a 00 00 00 00", "ud", 6); // far pointer of 16 bits
  expectInvalid("48 c5 45 10", "ud", 4); // LDS, which REX does not make VEX
  expectInvalid("66 66 66 66 66 66 66 66 66 66 0f 38 4b 84 88 00 00 00 00", "gp", 15);
  const insn = at("0f 38 4b", 3);
  assert.ok("invalid" in insn && insn.invalid === "more");
});
