/** Accesses that roam, in translated code: what the first level of the TLB must not let through. */
import assert from "node:assert/strict";
import { type SyscallHook, Trap } from "./api.ts";
import { HedraCpu } from "./cpu.ts";
import { CTL_QUICK_COUNT, GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM, VEC } from "./layout.ts";
import type { AddressSpace } from "./space.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "./space.ts";
import { TIMED } from "./testing.ts";

const CODE = 0x40_0000, LIST = 0x50_0000, RW = RIGHT_R | RIGHT_W;
/** Pages of the guest that several mappings show, in different order. */
const PAGES = 8, DATA = USER_RAM + 16 * PAGE, RAM = 0x10_0000;
/** One data area in one piece, two page by page and in pairs of pages backwards, and one whose pages share entries with the first. */
const WHOLE = 0x1000_0000, SCATTERED = 0x2000_0000, PAIRS = 0x6000_0000, ALIAS = WHOLE + 2 ** 40;
/** So that regions contain all of the loops below. */
const HEAT = 40;
const READ = [
  [0x48, 0x8b, 0x06], // l: mov rax, [rsi]
  [0x48, 0x83, 0xc6, 0x08], // add rsi, 8
  [0x84, 0xc9], // test cl, cl (so that the next look-up is in another node)
  [0x74, 0x04], // jz skip
  [0x48, 0x03, 0x50, 0x10], // add rdx, [rax+16]
  [0x48, 0x33, 0x10], // skip: xor rdx, [rax]
  [0x48, 0x33, 0x50, 0x08], // xor rdx, [rax+8]
  [0x48, 0xff, 0xc9], // dec rcx
  [0x75, 0xe5], // jnz l
  [0x0f, 0x05], // syscall
].flat();
const WRITE = [
  [0x48, 0x8b, 0x06], // l: mov rax, [rsi]
  [0x48, 0x83, 0xc6, 0x08], // add rsi, 8
  [0x48, 0x89, 0x08], // mov [rax], rcx
  [0x48, 0xff, 0xc9], // dec rcx
  [0x75, 0xf1], // jnz l
  [0x0f, 0x05], // syscall
].flat();
const TURNS = 4000;

class Guest {
  readonly cpu: HedraCpu;
  readonly space: AddressSpace;
  constructor(readonly code: readonly number[], heat: number) {
    this.cpu = new HedraCpu({ ramBytes: USER_RAM + RAM, hooks: TIMED, heat });
    this.cpu.ram.u8.set(code, USER_RAM);
    for (let k = 0; k < PAGES * PAGE; k++) this.cpu.ram.u8[DATA + k] = k * 7 + (k >> 8);
    this.space = this.newSpace();
  }
  newSpace(): AddressSpace {
    const space = this.cpu.createSpace();
    space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
    space.map(LIST, USER_RAM + PAGE, 8 * PAGE, RW);
    space.map(WHOLE, DATA, PAGES * PAGE, RW);
    space.map(ALIAS, DATA, PAGES * PAGE, RW);
    for (let k = 0; k < PAGES; k++) space.map(SCATTERED + k * PAGE, DATA + (PAGES - 1 - k) * PAGE, PAGE, RW);
    for (let k = 0; k < PAGES; k += 2) space.map(PAIRS + k * PAGE, DATA + (PAGES - 2 - k) * PAGE, 2 * PAGE, RW);
    return space;
  }
  /** Goes once through the addresses in `at`: how it ended, and what the program has seen. */
  run(at: readonly number[], space = this.space, onSyscall?: SyscallHook): unknown {
    const { ram } = this.cpu, state = KERNEL_MEMORY;
    at.forEach((va, k) => ram.view.setBigUint64(USER_RAM + PAGE + 8 * k, BigInt.asUintN(64, BigInt(va)), true));
    this.cpu.resetState(state);
    const set = (offset: number, value: number) => ram.u32[(this.cpu.locate(state) + offset) >> 2] = value;
    set(RIP, CODE);
    set(GPR + 8, at.length);
    set(GPR + 8 * 3, at.length);
    set(GPR + 8 * 6, LIST);
    const trap = this.cpu.run(state, space, 1e12, onSyscall), block = this.cpu.locate(state);
    const [edx, edxHigh, esi] = [16, 20, 48].map((n) => ram.u32[(block + GPR + n) >> 2]);
    return [
      trap,
      edx,
      edxHigh,
      esi,
      ...(trap === Trap.Exception ? [this.cpu.vector, this.cpu.errorCode, this.cpu.faultAddress] : []),
    ];
  }
  get filled(): number {
    return this.cpu.ram.i32[CTL_QUICK_COUNT >> 2];
  }
  get data(): Uint8Array {
    return this.cpu.ram.u8.slice(DATA, DATA + PAGES * PAGE);
  }
}
/** Addresses all over the areas, page ends among them. */
const anywhere = Array.from({ length: TURNS }, (_, k) => {
  const area = [WHOLE, SCATTERED, ALIAS, PAIRS][k & 3], n = Math.imul(k, 0x9e3779b1) >>> 0;
  return area + n % (PAGES * PAGE - 64);
});
function both(code: readonly number[]): [Guest, Guest] {
  const translated = new Guest(code, HEAT), interpreted = new Guest(code, Infinity);
  for (let n = 0; n < 3; n++) assert.deepEqual(translated.run(anywhere), interpreted.run(anywhere));
  assert.ok(translated.filled > 0, "the first level is used");
  return [translated, interpreted];
}
const after = (addresses: readonly number[]) => [...anywhere.slice(0, 100), ...addresses];

for (const [what, code] of [["reads", READ], ["writes", WRITE]] as const) {
  Deno.test(`${what} through the TLB's first level cross pages only where these lie behind each other`, () => {
    const [translated, interpreted] = both(code);
    for (
      const va of [WHOLE + PAGE - 4, SCATTERED + PAGE - 4, ALIAS + 3 * PAGE - 1, SCATTERED + 5 * PAGE - 7, WHOLE + 8 * PAGE - 30]
    ) {
      assert.deepEqual(translated.run(after([va])), interpreted.run(after([va])), va.toString(16));
    }
    for (const va of [WHOLE + 8 * PAGE - 4, ALIAS + 8 * PAGE - 1, SCATTERED + 8 * PAGE - 7, WHOLE + 8 * PAGE]) {
      const end = interpreted.run(after([va])) as number[];
      assert.deepEqual([end[0], end[4]], [Trap.Exception, VEC.PF]);
      assert.deepEqual(translated.run(after([va])), end, va.toString(16));
    }
    assert.deepEqual(translated.data, interpreted.data);
  });

  Deno.test(`${what} find nothing in entries of other addresses, canonical or not`, () => {
    const [translated, interpreted] = both(code);
    for (const base of [WHOLE, SCATTERED]) {
      for (const distance of [2 ** 29, 2 ** 31, 2 ** 32, 2 ** 41, 2 ** 47, 2 ** 48, 2 ** 52, -(2 ** 47), -(2 ** 62)]) {
        const va = base + distance, end = interpreted.run(after([va])) as number[];
        assert.equal(end[0], Trap.Exception);
        assert.deepEqual(translated.run(after([va])), end, va.toString(16));
      }
    }
    // Empty entries, and RAM's own addresses.
    for (
      const va of [
        0,
        PAGE,
        0x1000,
        0x500_0000,
        USER_RAM,
        DATA,
        RAM - PAGE,
        USER_RAM + RAM - PAGE,
        2 ** 32 - PAGE,
        2 ** 63,
        2 ** 64 - PAGE,
      ]
    ) {
      assert.deepEqual(translated.run(after([va])), interpreted.run(after([va])), va.toString(16));
    }
  });

  Deno.test(`${what} see what is mapped now`, () => {
    const guests = both(code), all = (act: (g: Guest) => void) => guests.forEach(act);
    // Not in the page that changes.
    const others = anywhere.filter((va) => va < WHOLE + 4 * PAGE - 8 || va >= WHOLE + 5 * PAGE);
    const same = (va: number, trap: Trap) => {
      const [translated, interpreted] = guests.map((g) => g.run([...others, va]));
      assert.deepEqual(translated, interpreted);
      assert.equal((translated as number[])[0], trap);
    };
    // A crossing into a page that goes away, comes back elsewhere, and then where it was, but not for writing at first.
    same(WHOLE + 4 * PAGE - 4, Trap.Syscall);
    all((g) => g.space.unmap(WHOLE + 4 * PAGE, PAGE));
    same(WHOLE + 4 * PAGE - 4, Trap.Exception);
    all((g) => g.space.map(WHOLE + 4 * PAGE, DATA, PAGE, RW));
    same(WHOLE + 4 * PAGE - 4, Trap.Syscall);
    all((g) => g.space.map(WHOLE + 4 * PAGE, DATA + 4 * PAGE, PAGE, RIGHT_R));
    same(WHOLE + 4 * PAGE - 4, code === READ ? Trap.Syscall : Trap.Exception);
    all((g) => g.space.map(WHOLE + 4 * PAGE, DATA + 4 * PAGE, PAGE, RW));
    // The area grows: its last page is continued.
    same(WHOLE + 8 * PAGE - 4, Trap.Exception);
    all((g) => g.space.map(WHOLE + 8 * PAGE, DATA + 8 * PAGE, PAGE, RW));
    same(WHOLE + 8 * PAGE - 4, Trap.Syscall);
    assert.deepEqual(guests[0].data, guests[1].data);
  });

  Deno.test(`${what} go to the memory of the space that runs`, () => {
    const guests = both(code);
    const others = guests.map((g) => {
      const space = g.newSpace();
      space.map(WHOLE, DATA + 4 * PAGE, 4 * PAGE, RW);
      return space;
    });
    for (let n = 0; n < 3; n++) {
      const [translated, interpreted] = guests.map((g, k) => [g.run(anywhere, others[k]), g.run(anywhere)]);
      assert.deepEqual(translated, interpreted);
    }
    assert.deepEqual(guests[0].data, guests[1].data);
  });
}

Deno.test("pages of the kernel's memory that a guest sees do not make others visible", () => {
  const guests = both(READ), seen = 0x7000_0000, list = Array.from({ length: 100 }, (_, k) => seen + 8 * k);
  for (const g of guests) {
    g.cpu.ram.u8.fill(0x5a, KERNEL_MEMORY + 16 * PAGE, KERNEL_MEMORY + 18 * PAGE);
    g.space.map(seen, KERNEL_MEMORY + 16 * PAGE, 2 * PAGE, RW);
  }
  for (let far = seen; far <= seen + USER_RAM; far += RAM) {
    const [translated, interpreted] = guests.map((g) => g.run([...list, far]));
    assert.deepEqual(translated, interpreted, far.toString(16));
    assert.equal((translated as number[])[0], far === seen ? Trap.Syscall : Trap.Exception);
  }
});

Deno.test("a write that ends in a page with code is seen", () => {
  const guests = both(WRITE);
  for (const g of guests) {
    // inc edx; syscall, at the beginning of the third page of data, executable elsewhere.
    g.cpu.ram.u8.set([0xff, 0xc2, 0x0f, 0x05], DATA + 2 * PAGE);
    g.space.map(0x60_0000, DATA + 2 * PAGE, PAGE, RIGHT_R | RIGHT_X);
  }
  const call = (g: Guest) => {
    const state = KERNEL_MEMORY;
    g.cpu.resetState(state);
    g.cpu.ram.u32[(g.cpu.locate(state) + RIP) >> 2] = 0x60_0000;
    assert.equal(g.cpu.run(state, g.space, 1e12), Trap.Syscall);
    return g.cpu.ram.u32[(g.cpu.locate(state) + GPR + 16) >> 2];
  };
  const plain = Array.from({ length: 50 }, (_, k) => WHOLE + PAGE + 64 * k);
  for (const g of guests) {
    g.run(plain);
    assert.equal(call(g), 1);
    g.run(plain);
    // RCX = 1: the upper half of the last quadword, zero, ends up over `inc edx`.
    g.run([...plain, WHOLE + 2 * PAGE - 4]);
    g.cpu.ram.u8[DATA + 2 * PAGE + 4] = 0;
    assert.equal(g.cpu.ram.u32[(DATA + 2 * PAGE) >> 2], 0);
    g.cpu.ram.u8.set([0x90, 0x90, 0x0f, 0x05], DATA + 2 * PAGE);
    assert.equal(call(g), 0);
  }
});

Deno.test("a look-up is not good for accesses after a system call that has changed the mapping", () => {
  const code = [
    [0x48, 0x8b, 0x06], // l: mov rax, [rsi]
    [0x48, 0x83, 0xc6, 0x08], // add rsi, 8
    [0x48, 0x8b, 0x10], // mov rdx, [rax]
    [0xf6, 0xc3, 0x01], // test bl, 1
    [0x74, 0x04], // jz skip
    [0x48, 0x03, 0x50, 0x08], // add rdx, [rax+8]
    [0x0f, 0x05], // skip: syscall
    [0x48, 0x03, 0x50, 0x10], // add rdx, [rax+16]
    [0x48, 0xff, 0xcb], // dec rbx
    [0x75, 0xe2], // jnz l
    [0x0f, 0x0b], // ud2
  ].flat();
  for (
    const change of [
      (s: AddressSpace) => s.unmap(ALIAS + 2 * PAGE, PAGE),
      (s: AddressSpace) => s.map(ALIAS + 2 * PAGE, DATA, PAGE, RW),
    ]
  ) {
    const [translated, interpreted] = [HEAT, Infinity].map((heat) => {
      const guest = new Guest(code, heat),
        list = [...anywhere.slice(0, 1000), ...Array.from({ length: 20 }, () => ALIAS + 2 * PAGE + 8)];
      let calls = 0;
      const once = () =>
        guest.run(list, guest.space, () => {
          if (++calls === list.length * 3 - 10) change(guest.space);
          return true;
        });
      return [once(), once(), once()];
    });
    assert.deepEqual(translated, interpreted);
  }
});

Deno.test("a look-up is good for later accesses through the same value of a register, and no further than the next page begins", () => {
  const code = [
    [0x48, 0x8b, 0x06], // l: mov rax, [rsi]
    [0x48, 0x83, 0xc6, 0x08], // add rsi, 8
    [0x48, 0x8b, 0x18], // mov rbx, [rax]
    [0xf6, 0xc1, 0x01], // test cl, 1
    [0x74, 0x06], // jz same
    [0x48, 0x05, 0x34, 0x12, 0x00, 0x00], // add rax, 0x1234
    [0x48, 0x33, 0x50, 0x08], // same: xor rdx, [rax+8]
    [0xf6, 0xc1, 0x02], // test cl, 2
    [0x74, 0x07], // jz 1f
    [0x48, 0x03, 0x90, 0xf0, 0x0f, 0x00, 0x00], // add rdx, [rax+0xff0]
    [0xf6, 0xc1, 0x04], // 1: test cl, 4
    [0x74, 0x07], // jz 2f
    [0x48, 0x03, 0x90, 0x00, 0x18, 0x00, 0x00], // add rdx, [rax+0x1800]
    [0xf6, 0xc1, 0x08], // 2: test cl, 8
    [0x74, 0x04], // jz 3f
    [0x48, 0x33, 0x50, 0xf8], // xor rdx, [rax-8]
    [0xf6, 0xc1, 0x10], // 3: test cl, 16
    [0x74, 0x04], // jz 4f
    [0x48, 0x31, 0x58, 0x10], // xor [rax+16], rbx
    [0x48, 0xff, 0xc9], // 4: dec rcx
    [0x75, 0xb8], // jnz l
    [0x0f, 0x05], // syscall
  ].flat();
  const near = anywhere.map((_, k) => {
    const n = Math.imul(k, 0x9e3779b1) >>> 0, offset = [0, 8, 2, n % PAGE][n >>> 16 & 3];
    return [WHOLE, SCATTERED, ALIAS, PAIRS][n >>> 20 & 3] + (1 + (n >>> 8) % 4) * PAGE + offset;
  });
  const [translated, interpreted] = [HEAT, Infinity].map((heat) => {
    const guest = new Guest(code, heat), runs = [guest.run(near), guest.run(near), guest.run(near), guest.data];
    // The same memory for reading only, which is written to at last.
    for (let k = 0; k < PAGES; k += 2) guest.space.map(PAIRS + k * PAGE, DATA + (PAGES - 2 - k) * PAGE, 2 * PAGE, RIGHT_R);
    const kept = near.map((va, k) =>
      (near.length - k & 16) !== 0 && va - va % (PAGES * PAGE) === PAIRS ? va - PAIRS + WHOLE : va
    );
    return [...runs, guest.run(kept.with(-16, PAIRS + 2 * PAGE)), guest.data];
  });
  assert.equal((interpreted[4] as number[])[0], Trap.Exception);
  assert.equal((interpreted[0] as number[])[0], Trap.Syscall);
  assert.deepEqual(translated, interpreted);
});
