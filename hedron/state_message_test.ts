import assert from "node:assert/strict";
import { STATE } from "../cpu/layout.ts";
import { MTD } from "./api.ts";
import { MTD_ROWS } from "./mtd.ts";
import { ENTRY, R8, RAX, RBX, RDI, rdi, RDX, RSI, RSP, run, SELF, syscall } from "./testing/guest.ts";
import type { Machine, Script, TestKernel } from "./testing/mod.ts";

const HANDLER = 0x90_0000, PAGE_VA = 0xdead_b000, FAULT = 0x12_3456;
/** UTCB offsets (ABI 4.3). */
const UTCB = { items: 4, mtd: 0x20, rip: 0x30, rflags: 0x38, rax: 0x58, rcx: 0x60, rbx: 0x70, rsp: 0x78, rdi: 0x90, r8: 0x98 };
const ERROR = 0xd8, CR2 = 0xe0, STALE = 0x170;

/** A guest that serves its own page faults with a portal of `mtd`, faults once, and looks at itself afterwards. */
function faultOnce(
  mtd: number,
  serve: (h: Machine) => void,
  after: (m: Machine) => void,
  before?: (m: Machine) => void,
): TestKernel {
  return run({
    *code(m) {
      m.cpu.code.set(HANDLER, function* (h): ReturnType<Script> {
        serve(h);
        h.set(RSP, 0x6660);
        yield syscall({ [RDI]: rdi(1, 0) });
      });
      m.cpu.code.set(ENTRY + 0x100, function* (n): ReturnType<Script> {
        after(n);
        yield { trap: "exception", vector: 6 };
      });
      yield syscall({ [RDI]: rdi(3, 1000), [RSI]: SELF, [RDX]: PAGE_VA, [RAX]: 0x6000, [R8]: 0 });
      yield syscall({ [RDI]: rdi(5, 14), [RSI]: SELF, [RDX]: 1000, [RAX]: mtd, [R8]: HANDLER });
      yield syscall({ [RDI]: rdi(11, 14), [RSI]: 77 });
      m.write64(PAGE_VA + STALE, 0x5a5a);
      m.set(RAX, 11);
      m.set(RBX, 22);
      m.set(R8, 88);
      before?.(m);
      yield { trap: "exception", vector: 14, error: 6, address: FAULT };
    },
    portals: [],
  });
}

const word = (h: Machine, offset: number) => h.read64(PAGE_VA + offset);

Deno.test("a guest handler finds the state in its UTCB at the offsets of the interface, 79 words, and its portal id in RDI", () => {
  const seen: number[] = [];
  // The faulting instruction, wherever the script stands.
  let rip = 0;
  faultOnce(
    MTD.DEFAULT,
    (h) => {
      seen.push(h.get(RDI), h.get(RSP), Math.floor(word(h, 0) / 2 ** 32), word(h, UTCB.mtd));
      assert.equal(word(h, UTCB.rip), rip);
      seen.push(word(h, UTCB.rax), word(h, UTCB.rbx), word(h, UTCB.rsp), word(h, UTCB.r8));
      seen.push(word(h, ERROR), word(h, CR2), word(h, STALE));
      h.write64(PAGE_VA + UTCB.mtd, MTD.RIP);
      h.write64(PAGE_VA + UTCB.rip, ENTRY + 0x100);
    },
    () => {},
    (m) => rip = m.rip,
  );
  assert.deepEqual(seen, [77, 0x6000, 79, MTD.DEFAULT, 11, 22, 0x8000, 88, 6, FAULT, 0x5a5a]);
});

Deno.test("only the groups of the portal's MTD are written to the UTCB", () => {
  const seen: number[] = [];
  faultOnce(MTD.BSD, (h) => {
    seen.push(word(h, UTCB.rax), word(h, UTCB.r8), word(h, CR2), word(h, UTCB.mtd));
    h.write64(PAGE_VA + UTCB.mtd, MTD.RIP);
    h.write64(PAGE_VA + UTCB.rip, ENTRY + 0x100);
  }, () => {});
  assert.deepEqual(seen, [0, 0, 0, MTD.BSD]);
});

Deno.test("a guest handler's reply changes what its mtd word selects; IOPL is dropped and IF forced", () => {
  const seen: number[] = [];
  faultOnce(MTD.DEFAULT, (h) => {
    h.write64(PAGE_VA + UTCB.mtd, MTD.RIP | MTD.RFLAGS | MTD.ACDB);
    h.write64(PAGE_VA + UTCB.rip, ENTRY + 0x100);
    h.write64(PAGE_VA + UTCB.rflags, 0x3001);
    h.write64(PAGE_VA + UTCB.rax, 1000);
    h.write64(PAGE_VA + UTCB.rdi, 2000);
    h.write64(PAGE_VA + UTCB.r8, 3000);
  }, (m) => {
    seen.push(m.get(RAX), m.get(RBX), m.get(R8), m.cpu.getFlags(STATE));
    assert.notEqual(m.get(RDI), 2000);
  });
  assert.deepEqual(seen, [1000, 22, 88, 0x203]);
});

Deno.test("every MTD bit of the interface has one row, and no UTCB word belongs to two", () => {
  assert.equal(new Set(MTD_ROWS.map((row) => row.bit)).size, MTD_ROWS.length);
  const offsets = MTD_ROWS.flatMap((row) => row.words.map(([utcb]) => utcb));
  assert.equal(new Set(offsets).size, offsets.length);
  assert.equal(offsets.length, 4 + 3 + 1 + 1 + 2 + 8);
});
