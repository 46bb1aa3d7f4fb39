/** Starting the file service and the personality, and roottask's services for host PDs (roottask/protocol.ts). */
import type { Host } from "../host/api.ts";
import { EAGAIN, EFAULT, EINVAL, EIO, ENOSYS } from "../host/errno.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import { FIRST_LENGTH, FS_ADMIN_OP, TEXT_WORD } from "../fs/protocol.ts";
import { encodeText } from "../fs/text.ts";
import { type Coroutine, CrdKind, type HostEc, type HostProgram, type PortalHandler } from "../hedron/api.ts";
import { delegateMemory, delegateObject, fetchObject } from "./delegate.ts";
import {
  ALL_RIGHTS,
  GSI,
  KERNEL_GSI,
  object,
  type PersonalityName,
  type PersonalitySelectors,
  personalitySelectors,
  PRIORITY,
  QUANTUM_US,
  RIGHT_CALL,
  RIGHT_CREATE,
  ROOT,
  SERVICE,
} from "./layout.ts";
import type { Placement } from "./boot_config.ts";
import type { Stream } from "./output.ts";
import type { Context } from "./processes.ts";
import { passPermissions } from "./permissions.ts";
import { CONSOLE_SERVICE, HOST_PD, MAX_PERMISSIONS, PROCESS_SERVICE, SPAWN_SERVICE, type SpawnRequest } from "./protocol.ts";

/** A range of RAM, virtual = physical. */
export interface Range {
  start: number;
  bytes: number;
}

const RWX = RIGHT_R | RIGHT_W | RIGHT_X;
const UP_AND_DOWN = 3;

/** Creates a host PD whose program runs as soon as its SC exists (`startHostPd`). */
export function createHostPd(ec: HostEc, pd: number, mainEc: number, program: HostProgram, memory: readonly Range[]): void {
  ec.createPd(pd, ROOT.PD, { kind: CrdKind.Null, base: 0, order: 0, rights: 0 });
  ec.createEc(mainEc, pd, { global: true, utcb: 0, program });
  ec.label(mainEc, "main");
  delegateObject(ec, pd, RIGHT_CREATE, pd, HOST_PD.SELF_PD);
  for (const { start, bytes } of memory) delegateMemory(ec, start, bytes, pd, start, RWX);
}

/** Longer than the kernel takes to block an EC, shorter than any program's start. */
const START_SLEEP_NS = 20_000;

/** Lets the program run until it has made the capability at `selector`, which roottask then holds at `to`. */
export function* startHostPd(ec: HostEc, pd: number, mainEc: number, sc: number, selector: number, to: number): Coroutine {
  ec.createSc(sc, pd, mainEc, PRIORITY.SERVICE, QUANTUM_US);
  // The program has the higher priority: while roottask sleeps it runs until it blocks, by when this short sleep is over.
  while (!fetchObject(ec, pd, selector, to)) yield ec.smDown(ROOT.SLEEP, ec.tsc() + START_SLEEP_NS);
}

/** One request to the file service's administration; its result. */
export function administerFs(ec: HostEc, operation: number, args: readonly number[], path = ""): number {
  const { utcb } = ec;
  utcb.set(0, operation);
  for (let i = 0; i < 5; i++) utcb.set(1 + i, args[i] ?? 0);
  const length = encodeText(path, utcb.bytes, TEXT_WORD * 8);
  if (length < 0) return -EINVAL;
  utcb.set(FIRST_LENGTH, length);
  utcb.untyped = TEXT_WORD + Math.ceil(length / 8);
  utcb.typed = 0;
  return ec.call(ROOT.FS_ADMIN) === 0 ? utcb.get(0) : -EIO;
}

/** Opens a session whose client may name memory in `window`; the file service's portal for it. */
export function attachFs(ec: HostEc, window: Range): number {
  delegateMemory(ec, window.start, window.bytes, ROOT.FS_PD, window.start, RWX);
  const session = administerFs(ec, FS_ADMIN_OP.ATTACH, [window.start, window.bytes]);
  return session < 0 ? session : HOST_PD.FS + session;
}

/** RAM at the end of the personality's pool through which roottask passes long requests. */
const MAILBOX_BYTES = 2 << 20;
const INLINE_REQUEST = 4000;

export class PersonalityPd {
  private readonly mailbox: number;
  private session = -1;
  private readonly selectors: PersonalitySelectors;

  /**
   * `hearsConsole`: it is told when console input arrives; one personality of a machine is.
   * `permissions`: how many there are.
   * `usedPool`: one before it has had the same pool.
   * `placement`: "roottask" makes its main EC in roottask's PD, whose capability space then holds what HOST_PD promises it. Its own
   * selectors run from HOST_PD.FREE up to those of roottask's host PDs, and in blocks above roottask's processes.
   */
  constructor(
    private readonly name: PersonalityName,
    private readonly context: Context,
    private readonly host: Host,
    private readonly pool: Range,
    private readonly how: { hearsConsole: boolean; placement: Placement; permissions: number; usedPool: boolean },
  ) {
    const own = personalitySelectors(name);
    this.selectors = how.placement === "own" ? own : { ...own, pd: ROOT.PD };
    this.mailbox = pool.start + pool.bytes - MAILBOX_BYTES;
  }

  *start(ec: HostEc, program: HostProgram, services: readonly PortalHandler[]): Coroutine {
    const { pool, selectors } = this;
    if (this.how.placement === "own") createHostPd(ec, selectors.pd, selectors.ec, program, [pool]);
    else {
      ec.createEc(selectors.ec, ROOT.PD, { global: true, utcb: 0, program });
      ec.label(selectors.ec, this.name);
    }
    const fsPortal = attachFs(ec, pool);
    this.session = fsPortal - HOST_PD.FS;
    ec.delegate(ROOT.FS_PD, object(fsPortal, RIGHT_CALL), selectors.pd, object(HOST_PD.FS, ALL_RIGHTS));
    ec.createPt(selectors.processService, ROOT.PD, ROOT.SERVICE_EC, 0, this.processService(services));
    ec.label(selectors.processService, "process service");
    ec.createPt(selectors.consoleService, ROOT.PD, ROOT.SERVICE_EC, 0, this.consoleService());
    ec.label(selectors.consoleService, "console");
    if (this.how.hearsConsole) {
      const kernel = object(KERNEL_GSI + GSI.CONSOLE, UP_AND_DOWN);
      ec.delegate(ROOT.PD, kernel, ROOT.PD, object(selectors.sm, ALL_RIGHTS), { hypervisor: true });
      ec.label(selectors.sm, "console input");
    } else {
      ec.createSm(selectors.sm, ROOT.PD, 0);
    }
    delegateObject(ec, selectors.processService, RIGHT_CALL, selectors.pd, HOST_PD.PROCESS);
    delegateObject(ec, selectors.consoleService, RIGHT_CALL, selectors.pd, HOST_PD.CONSOLE);
    delegateObject(ec, selectors.sm, UP_AND_DOWN, selectors.pd, HOST_PD.CONSOLE_SM);
    passPermissions(ec, this.how.permissions, selectors.pd);
    yield* startHostPd(ec, selectors.pd, selectors.ec, selectors.sc, HOST_PD.SPAWN, selectors.spawn);
  }

  /** Takes everything away that it is and has made: its processes' domains are objects of its own. */
  destroy(ec: HostEc): void {
    const { sc, ec: main, pd, spawn, processService, consoleService, sm } = this.selectors;
    for (const selector of [sc, main, pd, spawn, processService, consoleService, sm]) {
      ec.revoke(object(selector, ALL_RIGHTS), true);
    }
    administerFs(ec, FS_ADMIN_OP.DETACH, [this.session]);
    // A program may have switched the terminal.
    if (this.hearsConsole) this.host.stdin.setRaw?.(false);
  }

  get hearsConsole(): boolean {
    return this.how.hearsConsole;
  }

  /** The new process's pid, or -errno. */
  spawn(ec: HostEc, request: SpawnRequest): number {
    const json = new TextEncoder().encode(JSON.stringify(request)), { utcb } = ec;
    utcb.set(0, SPAWN_SERVICE.START);
    if (json.length <= INLINE_REQUEST) {
      utcb.set(1, json.length);
      utcb.bytes.set(json, 16);
      utcb.untyped = 2 + Math.ceil(json.length / 8);
    } else {
      if (json.length > MAILBOX_BYTES) return -EINVAL;
      ec.memory.view(this.mailbox, json.length, true).set(json);
      utcb.set(1, 0);
      utcb.set(2, this.mailbox);
      utcb.set(3, json.length);
      utcb.untyped = 4;
    }
    utcb.typed = 0;
    return ec.call(this.selectors.spawn) === 0 ? utcb.get(0) : -EIO;
  }

  private owns(address: number, length: number): boolean {
    return length >= 0 && address >= this.pool.start && address + length <= this.pool.start + this.pool.bytes;
  }

  private processService(services: readonly PortalHandler[]): PortalHandler {
    const { context, host } = this;
    return (_id, ec) => {
      const { utcb } = ec, a = utcb.get(1), b = utcb.get(2), operation = utcb.get(0), parent = utcb.untyped > 1 ? a : 0;
      utcb.untyped = 1;
      utcb.typed = 0;
      switch (operation) {
        case PROCESS_SERVICE.REGISTER: {
          const process = context.processes.create(this.name, context.processes.get(parent)?.name ?? this.name);
          context.processes.createServicePortals(ec, process, services, SERVICE.RAW_ECHO);
          utcb.set(0, process.pid);
          SERVICE_ORDER.forEach((service, i) =>
            utcb.setTyped(i, object(process.selectors.services + service, RIGHT_CALL), { delegate: true, hotspot: i })
          );
          utcb.typed = SERVICE_ORDER.length;
          return;
        }
        case PROCESS_SERVICE.EXITED: {
          const process = context.processes.get(a);
          if (process !== undefined) context.processes.end(context, ec, process, { exitCode: shellExitCode(b) });
          return utcb.set(0, process === undefined ? -EINVAL : 0);
        }
        case PROCESS_SERVICE.POOL:
          utcb.set(0, this.pool.start);
          utcb.set(1, this.mailbox - this.pool.start);
          utcb.set(2, Math.min(this.how.permissions, MAX_PERMISSIONS));
          utcb.set(3, this.how.usedPool ? 1 : 0);
          utcb.untyped = 4;
          return;
        case PROCESS_SERVICE.WALL_CLOCK: {
          const [seconds, nanoseconds] = host.wallClock();
          utcb.set(0, seconds);
          utcb.set(1, nanoseconds);
          utcb.set(2, ec.tsc());
          utcb.untyped = 3;
          return;
        }
        case PROCESS_SERVICE.RANDOM:
          if (!this.owns(a, b)) return utcb.set(0, -EFAULT);
          // Hosts give at most 64 KiB at a time.
          for (let at = 0; at < b; at += 65536) host.random(ec.memory.view(a + at, Math.min(65536, b - at), true));
          ec.memory.codeChanged(a, b);
          return utcb.set(0, b);
      }
      utcb.set(0, -ENOSYS);
    };
  }

  private consoleService(): PortalHandler {
    const { context, host } = this;
    return (_id, ec) => {
      const { utcb } = ec, a = utcb.get(1), b = utcb.get(2), c = utcb.get(3);
      const pid = utcb.untyped > 4 ? utcb.get(4) : 0, operation = utcb.get(0);
      utcb.untyped = 1;
      utcb.typed = 0;
      switch (operation) {
        case CONSOLE_SERVICE.WRITE: {
          if (!this.owns(b, c)) return utcb.set(0, -EFAULT);
          const from = context.processes.get(pid) ?? { pid, name: this.name };
          const stream: Stream = a === 2 ? 2 : 1;
          context.observe?.();
          return utcb.set(0, context.output.write(from, stream, ec.memory.view(b, c, false)));
        }
        case CONSOLE_SERVICE.READ: {
          if (!this.owns(a, b)) return utcb.set(0, -EFAULT);
          const got = host.stdin.take(ec.memory.view(a, b, true));
          if (got !== undefined && got > 0) ec.memory.codeChanged(a, got);
          return utcb.set(0, got ?? -EAGAIN);
        }
        case CONSOLE_SERVICE.INFO: {
          const size = host.stdout.size() ?? host.stderr.size();
          const stream = a === 0 ? host.stdin : a === 1 ? host.stdout : host.stderr, { isTerminal } = stream;
          utcb.set(0, isTerminal ? 1 : stream.isClosed === true ? 2 : 0);
          utcb.set(1, isTerminal ? size?.columns ?? 80 : 0);
          utcb.set(2, isTerminal ? size?.rows ?? 24 : 0);
          utcb.untyped = 3;
          return;
        }
        case CONSOLE_SERVICE.MODE:
          host.stdin.setRaw?.(a === 1);
          return utcb.set(0, 0);
      }
      utcb.set(0, -ENOSYS);
    };
  }
}

/** Order of the typed items of REGISTER. */
const SERVICE_ORDER = [SERVICE.STDOUT, SERVICE.STDERR, SERVICE.ALLOCATE, SERVICE.FS, SERVICE.ECHO, SERVICE.RAW_ECHO] as const;

/** wait4 status (bits 0..6 signal, bits 8..15 exit code) as a shell's `$?`. */
const shellExitCode = (status: number): number => (status & 0x7f) !== 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff;
