/**
 * Hypercalls as a *host PD* (a protection domain whose code is TypeScript) sees them. Semantics, check order and status codes
 * are those of a guest binary's `syscall` (ABI 6.3); only the registers are replaced by parameters. Host code holds selectors,
 * never kernel objects.
 */
export const enum Status {
  Success = 0,
  ComTim = 1,
  ComAbt = 2,
  BadHyp = 3,
  BadCap = 4,
  BadPar = 5,
  BadFtr = 6,
  BadCpu = 7,
  BadDev = 8,
  /** API 13.2 only. */
  Oom = 9,
}

/** What a coroutine handler yields to the kernel to be blocked; made by `HostEc.smDown` and friends only. */
export interface Wait {
  readonly sm: number;
  readonly deadline: number;
  readonly zeroCounter: boolean;
}

/**
 * Code of a portal of a host EC; returning = `reply`. A plain function answers at once. When it must block it returns a generator
 * instead, and each `yield` of a Wait blocks *this* EC (and its caller) until the wait ends; the yield's value is the Status.
 * Preconditions: a handler that blocks must belong to an EC that serves nobody else meanwhile: use one local EC per client.
 */
export type PortalHandler = (id: number, ec: HostEc) => void | Coroutine;
export type Coroutine = Generator<Wait, void, Status>;

/** A running host EC: its UTCB, its PD's memory, and the hypercalls. */
export interface HostEc {
  readonly utcb: Utcb;
  readonly memory: HostMemory;
  /** Architectural state of the caller in a handler of an exception, startup, recall or foreign-system-call portal. */
  readonly state: ArchState;

  /**
   * call (0). The request is what stands in `utcb`; so is the reply. From a plain function the callee's whole service runs
   * before this returns (a guest callee runs nested on the donated SC).
   */
  call(pt: number): Status;
  /** RAX[0] foreign, RAX[63:1] portal base. */
  createPd(sel: number, parent: number, crd: Crd, foreign?: { portalBase: number }): Status;
  /** `utcb`: virtual address, 0 = not mapped. `stack` is RSP of a guest EC. A host PD's own local ECs pass stack 0. */
  createEc(sel: number, pd: number, opts: EcOptions): Status;
  createSc(sel: number, pd: number, ec: number, priority: number, quantumUs: number): Status;
  /** `entry`: RIP in the EC's PD, or a function when the EC belongs to a host PD. */
  createPt(sel: number, pd: number, ec: number, mtd: number, entry: number | PortalHandler): Status;
  /** `signal`: selector of a semaphore to be signalled too (chained; ABI 6.3), then `count` is the signal value. */
  createSm(sel: number, pd: number, count: number, signal?: number): Status;
  revoke(crd: Crd, self: boolean, remotePd?: number): Status;
  /** pd_ctrl delegate: source and destination are PD selectors; `receive` is the destination window. */
  delegate(
    source: number,
    crd: Crd,
    destination: number,
    receive: Crd,
    opts?: { hypervisor?: boolean; hotspot?: number },
  ): Status;
  lookup(crd: Crd): Crd;
  recall(ec: number): Status;
  /**
   * ec_ctrl, operation 1 of API 13.2, which host PDs have in every version: the SC that this code runs on goes behind the other ready SCs
   * of its priority as soon as the caller is back in user code or the code blocks.
   */
  yieldCpu(): void;
  /** Consumed time of an SC in microseconds, or a negative status. */
  scTime(sc: number): number;
  ptCtrl(pt: number, id: number): Status;
  smUp(sm: number): Status;
  /** To be yielded: `const status = yield ec.smDown(sel)`. `deadline` in TSC ticks (ns), 0 = none. */
  smDown(sm: number, deadline?: number, zeroCounter?: boolean): Wait;
  /** To be yielded: `const status = yield ec.callWait(pt)`, a call that blocks only this EC however long the callee takes. */
  callWait(pt: number): Wait;
  /** TSC, ns. */
  tsc(): number;
  /** Debugging: names the object behind a selector, for the inspector and the kernel's messages. No effect on semantics. */
  label(sel: number, text: string): void;
}

/** Arguments of create_ec (ABI 6.3, 7.5). */
export interface EcOptions {
  /** Global ECs run on SCs of their own, local ones serve portals. */
  global: boolean;
  cpu?: number;
  /** Virtual address of the UTCB page, 0 = not mapped. Ignored for host ECs, which reach theirs through `HostEc.utcb`. */
  utcb: number;
  /** Initial RSP of a guest EC. */
  stack?: number;
  eventBase?: number;
  /** Maps the UTCB in the caller's PD instead of the target PD. */
  utcbInCaller?: boolean;
  /** Flags were given that this version reserves (BAD_PAR). */
  unknownFlags?: boolean;
  /**
   * Makes `pd` (fresh, no EC yet) a host PD whose first global EC runs this program: instead of a startup message, its first SC
   * runs `main`. Capabilities and memory can be delegated to the PD before the SC is created. ECs that are created in the PD from
   * then on are host ECs.
   */
  program?: HostProgram;
}

/** Capability range descriptor (ABI 5.2) in its parts. `base` in units of the kind: pages, ports or selectors. */
export interface Crd {
  kind: CrdKind;
  base: number;
  order: number;
  rights: number;
}
export const enum CrdKind {
  Null = 0,
  Memory = 1,
  Port = 2,
  Object = 3,
}

/** The 4 KiB page of ABI section 4. */
export interface Utcb {
  untyped: number;
  typed: number;
  /** Receive windows. */
  xlt: Crd;
  del: Crd;
  /** Word i of the data area (at 0x20 + 8*i). `get`/`set` are exact for |values| < 2^53. */
  get(i: number): number;
  set(i: number, value: number): void;
  get32(i: number): number;
  /** Bytes of the data area (4064), for serialised messages. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  setTyped(i: number, crd: Crd, flags: { delegate: boolean; hotspot: number }): void;
  getTyped(i: number): Crd;
}

/** Message Transfer Descriptor bits for ordinary ECs (ABI 7.3). */
export const MTD = {
  ACDB: 1 << 0,
  BSD: 1 << 1,
  RSP: 1 << 2,
  RIP: 1 << 3,
  RFLAGS: 1 << 4,
  FS_GS: 1 << 6,
  QUAL: 1 << 15,
  R8_R15: 1 << 22,
  /** No UTCB data; for a host handler it opens `ArchState.fxsave/fxrstor`. */
  FPU: 1 << 31,
  /** Thesis default: bits 0..23. */
  DEFAULT: 0x00ff_ffff,
} as const;

/**
 * The caller's registers, in place: reading a field needs its bit in the portal's MTD, writing takes effect on reply for the
 * bits set in `mtd` (which starts as 0 at each call; set it before you write, that is the fast way). Without the bit a read gives 0
 * and a write is lost.
 * `num` reads an unsigned 64-bit register (exact below 2^53), `int` a signed one, `lo`/`hi` are its 32-bit halves (unsigned).
 */
export interface ArchState {
  /** Which groups the reply changes. */
  mtd: number;
  num(gpr: number): number;
  int(gpr: number): number;
  lo(gpr: number): number;
  hi(gpr: number): number;
  /** Any exact integer from -2^53 to 2^53, stored as two's complement. */
  set(gpr: number, value: number): void;
  setHalves(gpr: number, lo: number, hi: number): void;
  rip: number;
  rsp: number;
  rflags: number;
  /**
   * In a foreign call the flags at the `syscall` instruction, which `rflags` does not show. Nothing of the interface: a handler in machine
   * code cannot see them (ABI 8.3).
   */
  readonly callFlags: number;
  fsBase: number;
  gsBase: number;
  /**
   * Ends a foreign system call as the hardware would (ABI 8.4): RIP := RCX, RSP := R11, RFLAGS and R11 := `callFlags`; adds their bits to `mtd`.
   */
  sysret(): void;
  /** qual[0], qual[1]. */
  readonly errorCode: number;
  readonly faultAddress: number;
  /** Copies a register file to / from RAM as one 512-byte FXSAVE64 image at host-PD virtual address `va` (needs MTD.FPU). */
  fxsave(va: number): void;
  fxrstor(va: number): void;
  /** The same with the upper halves of the YMM registers: a standard XSAVE area of 832 bytes. */
  xsave(va: number): void;
  xrstor(va: number): void;
}

/** Memory of the host PD: only what has been delegated to it is accessible; anything else throws (a bug of the host PD). */
export interface HostMemory {
  /** The bytes [va, va+length), which must lie in one physically contiguous mapping with the needed rights. */
  view(va: number, length: number, write: boolean): Uint8Array<ArrayBuffer>;
  /** Are all of these bytes accessible? */
  has(va: number, length: number, write: boolean): boolean;
  /** Whole RAM views for hot paths. Host PDs map their pools at virtual = physical, so an address is an index. Stay inside your pools. */
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly data: DataView<ArrayBuffer>;
  /** Moves bytes within RAM (both ranges must be accessible) and tells the CPU that code may have changed. */
  copy(to: number, from: number, length: number): void;
  fill(va: number, value: number, length: number): void;
  /** Code was written by other means than `copy`/`fill` (for example through `u8`). */
  codeChanged(va: number, length: number): void;
}

/** Registration of a host PD at boot. `main` runs as its first EC (a global EC with an SC) after the kernel has set up the PD. */
export interface HostProgram {
  readonly name: string;
  /** Plain start-up code; a generator may block. */
  main(ec: HostEc): void | Coroutine;
}

/** What the code around a machine (boot, console driver) may do to it from outside. Implemented by `Machine`. */
export interface MachineControl {
  /** An interrupt: ups kernel semaphore NUM_CPU + gsi (ABI 2.1), which roottask can pull from the kernel PD. Wakes an idle machine. */
  interrupt(gsi: number): void;
  /** Ends `run()` at the next scheduling point. */
  stop(): void;
}
