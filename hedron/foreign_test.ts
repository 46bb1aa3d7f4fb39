import assert from "node:assert/strict";
import { HedraCpu } from "../cpu/cpu.ts";
import { STATE, USER_RAM, VEC } from "../cpu/layout.ts";
import { TIMED } from "../cpu/testing.ts";
import { type ArchState, CrdKind, type HostEc, MTD, type PortalHandler, Status } from "./api.ts";
import { NULL_CRD } from "./crd.ts";
import { Kernel } from "./kernel.ts";
import {
  EC,
  FOREIGN,
  HANDLER,
  object,
  PD,
  PORTALS,
  R11,
  RAX,
  RCX,
  RSP,
  run,
  SC,
  SELF,
  STARTUP,
  syscall,
} from "./testing/guest.ts";
import type { Machine } from "./testing/mod.ts";

// The flags at a foreign `syscall` (`ArchState.callFlags`) and the return that the hardware would make (`ArchState.sysret`).

const CF = 1, TF = 0x100, CALL = 0x202 | TF | CF, STACK = 0x7770, ALL = MTD.DEFAULT;

/** A guest makes one foreign call with `CALL` in its flags, which `handler` serves; what it finds afterwards. */
function callOnce(handler: (s: ArchState) => void, mtd: number = ALL) {
  const after = { rip: 0, back: 0, rsp: 0, r11: 0, flags: 0 };
  run({
    foreign: true,
    *code(m: Machine) {
      m.set(RSP, STACK);
      m.cpu.setFlags(STATE, CALL);
      yield syscall({ [RAX]: 39 });
      Object.assign(after, { rip: m.rip, rsp: m.get(RSP), r11: m.get(R11), flags: m.cpu.getFlags(STATE) });
      after.back = m.get(RCX);
    },
    portals: [[FOREIGN, mtd, (_id, h) => handler(h.state)]],
  });
  return after;
}

/** As a handler in machine code ends a call (ABI 8.3). */
function resume(s: ArchState): void {
  s.mtd = MTD.RIP | MTD.RSP;
  s.rip = s.num(RCX);
  s.rsp = s.num(R11);
}

Deno.test("a handler sees the flags at the call beside the stale ones of the message", () => {
  const seen: number[] = [];
  callOnce((s) => {
    seen.push(s.callFlags, s.rflags);
    resume(s);
  });
  // Those that the startup message has left.
  assert.deepEqual(seen, [CALL, 0x200]);
});

Deno.test("flags at the call are for portals that show RFLAGS", () => {
  let seen = -1;
  callOnce((s) => {
    seen = s.callFlags;
    resume(s);
  }, ALL & ~MTD.RFLAGS);
  assert.equal(seen, 0);
});

Deno.test("a reply without flags leaves the caller with the stale ones and its stack pointer in R11", () => {
  const { r11, flags, rsp } = callOnce(resume);
  assert.deepEqual({ r11, flags, rsp }, { r11: STACK, flags: 0x202, rsp: STACK });
});

Deno.test("sysret gives the caller the flags it had, in R11 as well, and goes on behind the call", () => {
  const { rip, back, ...rest } = callOnce((s) => s.sysret());
  assert.equal(rip, back);
  assert.deepEqual(rest, { rsp: STACK, r11: CALL, flags: CALL });
});

Deno.test("flags that a handler sets after sysret count, R11 stays", () => {
  const { r11, flags } = callOnce((s) => {
    s.sysret();
    s.rflags = s.callFlags & ~CF;
  });
  assert.deepEqual({ r11, flags }, { r11: CALL, flags: CALL & ~CF });
});

Deno.test("what the reply does not select is put back after sysret", () => {
  const { r11, flags, rsp } = callOnce((s) => {
    s.sysret();
    s.mtd &= ~(MTD.RFLAGS | MTD.R8_R15);
  });
  assert.deepEqual({ r11, flags, rsp }, { r11: STACK, flags: 0x202, rsp: STACK });
});

Deno.test("sysret does nothing where the portal hides what it needs", () => {
  callOnce((s) => {
    s.sysret();
    assert.equal(s.mtd, 0);
    resume(s);
  }, ALL & ~MTD.R8_R15);
});

Deno.test("outside of a foreign call there are no flags at the call", () => {
  const seen: number[] = [];
  run({
    foreign: true,
    *code(m: Machine) {
      m.cpu.setFlags(STATE, CALL);
      yield syscall({ [RAX]: 39 });
      yield { trap: "exception", vector: VEC.BP };
    },
    portals: [
      [FOREIGN, ALL, (_id, h) => h.state.sysret()],
      [VEC.BP, ALL, (_id, h) => void seen.push(h.state.rflags & TF, h.state.callFlags)],
    ],
  });
  assert.deepEqual(seen, [TF, 0]);
});

// ---- on the real processor

const CODE = 0x40_0000, PAGE = USER_RAM >> 12;
/** 0: pushfq; or qword [rsp], TF; popfq; 10: nop; stc; 12: syscall; 14: nop; clc; 16: syscall; 18: nop; ud2 */
const STEPPED = "9c 48 81 0c 24 00 01 00 00 9d 90 f9 0f 05 90 f8 0f 05 90 0f 0b";

/** Runs STEPPED as a foreign program: where #DB finds it, with which of TF and CF, and the flags at its calls. */
function stepThrough(heat: number) {
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x10_0000, hooks: TIMED, heat }), steps: string[] = [], calls: number[] = [];
  cpu.ram.u8.set(STEPPED.split(" ").map((byte) => parseInt(byte, 16)), USER_RAM);
  const started: PortalHandler = (_id, h) => {
    h.state.mtd = MTD.RIP | MTD.RSP;
    h.state.rip = CODE;
    h.state.rsp = CODE + 0x1000;
  };
  const trapped: PortalHandler = (_id, { state }) => void steps.push(`+${state.rip - CODE} ${state.rflags & (TF | CF)}`);
  const called: PortalHandler = (_id, { state }) => {
    calls.push(state.callFlags & (TF | CF));
    state.sysret();
  };
  const kernel = new Kernel(cpu, { tsc: TIMED.tsc });
  kernel.bootHost({
    name: "roottask",
    main(ec: HostEc) {
      const page = { kind: CrdKind.Memory, base: PAGE, order: 0, rights: 7 };
      ec.delegate(SELF, page, SELF, page, { hypervisor: true });
      ec.createPd(PD, SELF, NULL_CRD, { portalBase: FOREIGN });
      ec.delegate(SELF, page, PD, { ...page, base: CODE >> 12 });
      ec.createEc(EC, PD, { global: true, utcb: 0x7fff_ffff_e000 });
      ec.createEc(HANDLER, SELF, { global: false, utcb: 0 });
      for (const [i, [selector, handler]] of ([[STARTUP, started], [VEC.DB, trapped], [FOREIGN, called]] as const).entries()) {
        ec.createPt(PORTALS + i, SELF, HANDLER, ALL, handler);
        ec.delegate(SELF, object(PORTALS + i, 0, 2), PD, object(selector));
      }
      assert.equal(ec.createSc(SC, SELF, EC, 1, 10_000), Status.Success);
    },
  });
  kernel.run(1e9);
  return { steps, calls };
}

for (const heat of [1, Infinity]) {
  Deno.test(`TF and flags go through foreign calls that end with sysret (heat ${heat})`, () => {
    // As on a real processor, the trap of a SYSCALL comes behind the instruction that follows it.
    assert.deepEqual(stepThrough(heat), {
      steps: ["+11 256", "+12 257", "+15 257", "+16 256", "+19 256"],
      calls: [TF | CF, TF],
    });
  });
}
