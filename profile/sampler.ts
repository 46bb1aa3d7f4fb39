/** Takes samples of a guest: where it is, and by which calls it got there. */
import type { Ram } from "../cpu/api.ts";
import { GPR, PAGE, RIP, STATE } from "../cpu/layout.ts";
import type { AddressSpace } from "../cpu/space.ts";
import { RIGHT_X } from "../cpu/space.ts";
import { fileSymbols, mappedModule, type Module, type Read, type Symbol, symbolAt } from "./symbols.ts";

const MAX_FRAMES = 64;
/** Stack words that are searched for a return address, per frame. */
const WINDOW = 512;
/** Bytes below an address in which its module's ELF header is looked for. */
const MAX_MODULE = 64 << 20;
/** Less than that after a sample there is none: to walk a stack takes hundreds of microseconds, and code polls much more often. */
const MIN_INTERVAL_NS = 500_000;
/** A longer pause between samples is not the guest's: it waited. */
const MAX_WEIGHT_NS = 20_000_000;

export interface Frame {
  name: string;
  /** File of the function; "" when unknown. */
  module: string;
}
/** Times of stacks, outermost frame first. */
export interface Profile {
  frames: Frame[];
  /** Indices into `frames`, and ns. */
  stacks: { frames: number[]; ns: number }[];
  samples: number;
}

interface Guest {
  modules: Module[];
  read: Read;
  /** Return sites found so far: the target of a direct call, 0 for other calls, -1 for no call. */
  sites: Map<number, number>;
}

export class Sampler {
  readonly #guests = new Map<AddressSpace, Guest>();
  readonly #program: Symbol[];
  readonly #frames: Frame[] = [];
  readonly #frameNumbers = new Map<string, number>();
  readonly #stacks = new Map<string, { frames: number[]; ns: number }>();
  #samples = 0;
  #last: number;

  /** @param program the main program: its file's bytes (none = only what is in memory) and its name */
  constructor(
    private readonly ram: Ram,
    private readonly now: () => number,
    private readonly program: { name: string; bytes?: Uint8Array },
  ) {
    this.#program = program.bytes ? fileSymbols(program.bytes) : [];
    this.#last = now();
  }

  /** To be called at each poll; most are too early for a sample. */
  readonly sample = (space: AddressSpace): void => {
    const passed = this.now() - this.#last;
    if (passed < MIN_INTERVAL_NS) return;
    const ns = Math.min(passed, MAX_WEIGHT_NS);
    const guest = this.#guest(space), addresses = this.#walk(guest), frames: number[] = [];
    for (let n = addresses.length - 1; n >= 0; n--) frames.push(this.#frame(guest, addresses[n]));
    const key = frames.join(), known = this.#stacks.get(key);
    if (known) known.ns += ns;
    else this.#stacks.set(key, { frames, ns });
    this.#samples++;
    // What the sample took is nobody's.
    this.#last = this.now();
  };

  profile(): Profile {
    return { frames: this.#frames, stacks: [...this.#stacks.values()], samples: this.#samples };
  }

  #guest(space: AddressSpace): Guest {
    let guest = this.#guests.get(space);
    if (!guest) {
      const { view, u8 } = this.ram;
      const read: Read = (at, length) => {
        const e = at >= 0 && at < 2 ** 47 ? space.find(at) : undefined;
        if (!e) return undefined;
        if (at + length <= e.end) return new DataView(view.buffer, e.pa + (at - e.start), length);
        const copy = new Uint8Array(length);
        for (let done = 0; done < length;) {
          const piece = space.find(at + done);
          if (!piece) return undefined;
          const n = Math.min(length - done, piece.end - (at + done)), pa = piece.pa + (at + done - piece.start);
          copy.set(u8.subarray(pa, pa + n), done);
          done += n;
        }
        return new DataView(copy.buffer);
      };
      this.#guests.set(space, guest = { modules: [], read, sites: new Map() });
    }
    return guest;
  }

  // ---- stacks

  /** Addresses of the frames, innermost first; for callers an address within the call instruction. */
  #walk(g: Guest): number[] {
    const register = (offset: number) =>
      this.ram.u32[(STATE + offset) >> 2] + this.ram.u32[(STATE + offset + 4) >> 2] * 0x1_0000_0000;
    const pc = register(RIP), found = [pc];
    let sp = register(GPR + 32), bp = register(GPR + 40);
    for (let at = pc; found.length < MAX_FRAMES;) {
      const linked = bp >= sp && bp - sp < 1 << 20 ? this.#word(g, bp + 8) : 0;
      const framed = linked > 0 && this.#site(g, linked) >= 0 ? bp + 8 : 0;
      const slot = this.#returnSlot(g, at, sp, framed);
      if (slot === 0) break;
      if (slot === framed) bp = this.#word(g, bp);
      at = this.#word(g, slot) - 1;
      found.push(at);
      sp = slot + 8;
    }
    return found;
  }

  /** Where on the stack the return address of the function at `at` stands; 0 = nowhere. `framed`: where RBP says. */
  #returnSlot(g: Guest, at: number, sp: number, framed: number): number {
    const self = this.#symbol(g, at)?.start;
    let weak = framed;
    for (let slot = sp; slot < sp + 8 * WINDOW; slot += 8) {
      const value = this.#word(g, slot);
      if (value < 0) break;
      if (value < PAGE) continue;
      const target = this.#site(g, value);
      if (target < 0) continue;
      // A direct call to this very function: certain. Calls by pointer or PLT may be what an earlier call has left behind.
      if (target === self || slot === framed) return slot;
      if (weak === 0 && (self === undefined || target === 0 || this.#symbol(g, target)?.start !== target)) weak = slot;
    }
    return weak;
  }
  #word(g: Guest, at: number): number {
    const v = g.read(at, 8);
    return v ? v.getUint32(0, true) + v.getUint32(4, true) * 0x1_0000_0000 : -1;
  }
  /** Is there a call before `va`? See Guest.sites. */
  #site(g: Guest, va: number): number {
    let site = g.sites.get(va);
    if (site === undefined) g.sites.set(va, site = this.#callBefore(g, va));
    return site;
  }
  #callBefore(g: Guest, va: number): number {
    const v = va < 2 ** 47 ? g.read(va - 7, 7) : undefined;
    if (!v || !this.#executable(g, va)) return -1;
    // E8 rel32; FF /2 with its forms of ModRM (Intel SDM vol. 2, CALL).
    if (v.getUint8(2) === 0xe8) return va + v.getInt32(3, true);
    const isCall = (at: number, mod: number, sib: boolean) => {
      const modrm = v.getUint8(at + 1);
      return v.getUint8(at) === 0xff && (modrm & 0x38) === 0x10 && modrm >> 6 === mod &&
        (mod === 3 || ((modrm & 7) === 4) === sib);
    };
    const ripRelative = v.getUint8(1) === 0xff && v.getUint8(2) === 0x15;
    const yes = ripRelative || isCall(5, 3, false) || isCall(5, 0, false) || isCall(4, 0, true) || isCall(4, 1, false) ||
      isCall(3, 1, true) || isCall(1, 2, false) || isCall(0, 2, true);
    return yes ? 0 : -1;
  }
  #executable(g: Guest, va: number): boolean {
    for (const [space, guest] of this.#guests) if (guest === g) return ((space.find(va)?.rights ?? 0) & RIGHT_X) !== 0;
    return false;
  }

  // ---- names

  #symbol(g: Guest, va: number): Symbol | undefined {
    const m = this.#module(g, va), s = m && symbolAt(m.symbols, va - m.base);
    return s && { name: s.name, start: s.start + m.base, end: s.end + m.base };
  }
  #frame(g: Guest, va: number): number {
    const m = this.#module(g, va), s = m && symbolAt(m.symbols, va - m.base);
    const module = m?.name ?? "", name = s?.name ?? (module === "" ? `[0x${(va - va % PAGE).toString(16)}]` : `[${module}]`);
    const key = `${name}\0${module}`;
    let n = this.#frameNumbers.get(key);
    if (n === undefined) this.#frameNumbers.set(key, n = this.#frames.push({ name, module }) - 1);
    return n;
  }
  #module(g: Guest, va: number): Module | undefined {
    const known = g.modules.find((m) => va >= m.start && va < m.end);
    if (known) return known;
    const found = this.#find(g, va) ??
      { start: va - va % PAGE, end: va - va % PAGE + PAGE, base: 0, name: "", symbols: [], headers: new Uint8Array() };
    g.modules.push(found);
    return found;
  }
  #find(g: Guest, va: number): Module | undefined {
    for (let at = va - va % PAGE; at > va - MAX_MODULE && at > 0; at -= PAGE) {
      const head = g.read(at, 4);
      if (!head) continue;
      const m = head.getUint32(0) === 0x7f45_4c46 ? mappedModule(g.read, at) : undefined;
      if (!m || va < m.start || va >= m.end) continue;
      const { bytes, name } = this.program;
      if (bytes && m.headers.every((b, n) => b === bytes[n])) return { ...m, name, symbols: this.#program };
      return m;
    }
    // A hyperapp's headers are not mapped.
    const s = symbolAt(this.#program, va);
    return s &&
      { start: s.start, end: s.end, base: 0, name: this.program.name, symbols: this.#program, headers: new Uint8Array() };
  }
}
