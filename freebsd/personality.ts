import type { Coroutine, HostEc, HostMemory } from "../hedron/api.ts";
import type { FsClient } from "../fs/api.ts";
import { IpcFsClient } from "../fs/client.ts";
import { Console } from "../linux/files/console.ts";
import { emptyStat } from "../linux/files/open_file.ts";
import { FileCache } from "../linux/memory/file_cache.ts";
import type { Mm } from "../linux/memory/mm.ts";
import { Pool } from "../linux/memory/pool.ts";
import { UserMemory } from "../linux/memory/user.ts";
import { Clock } from "../linux/process/clock.ts";
import { Futexes } from "../linux/process/futex.ts";
import type { CurrentEc } from "../linux/process/kernel_space.ts";
import { entropy } from "../linux/process/registration.ts";
import { Selectors } from "../linux/process/selectors.ts";
import { Slot } from "../linux/process/slot.ts";
import { Timers } from "../linux/process/timers.ts";
import { HOST_PD, PROCESS_SERVICE, type SpawnRequest } from "../roottask/protocol.ts";
import { Dispatcher } from "./dispatch.ts";
import type { PipeBuffer } from "./files.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Process } from "./process.ts";
import { Signals } from "./signals.ts";
import { Sockets } from "./sockets.ts";
import { SYSCALLS } from "./syscalls/table.ts";
import type { Thread } from "./thread.ts";

export interface FreeBsdOptions {
  strace: boolean;
  verbose: boolean;
}

/** RAM that the personality uses itself: staging page, scratch page, texts. */
const OWN_BYTES = 256 << 10;
const PAGE = 4096;
export const BUFFER_BYTES = 128 << 10;

/** The FreeBSD personality: everything that its processes share. It uses the same services as linux/ and knows nothing of it. */
export class FreeBsd {
  readonly current: CurrentEc;
  readonly memory: HostMemory;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly data: DataView<ArrayBuffer>;
  readonly pool: Pool;
  /** Pages of executables that several processes map. */
  readonly fileCache: FileCache;
  readonly fs: FsClient;
  readonly #fsClient: IpcFsClient;
  readonly console: Console;
  readonly statBuffer = emptyStat();
  readonly clock = new Clock();
  readonly timers = new Timers();
  readonly futexes = new Futexes();
  readonly sockets = new Sockets();
  /** FIFOs that somebody has open, by device and inode. */
  readonly fifos = new Map<string, PipeBuffer>();
  readonly selectors = new Selectors();
  readonly signals: Signals;
  readonly dispatcher: Dispatcher;
  readonly life: Lifecycle;
  readonly options: FreeBsdOptions;
  readonly processes = new Map<number, Process>();
  readonly #freeSlots: Slot<Thread>[] = [];
  /** One page for structures that straddle extents; one for frames; a buffer for transfers. Physical addresses. */
  readonly staging: number;
  readonly scratch: number;
  readonly buffer: number;

  constructor(ec: HostEc, options: FreeBsdOptions) {
    this.options = { ...options };
    this.current = { ec };
    this.memory = ec.memory;
    this.u8 = ec.memory.u8;
    this.data = ec.memory.data;
    const { utcb } = ec;
    utcb.set(0, PROCESS_SERVICE.POOL);
    utcb.untyped = 1;
    utcb.typed = 0;
    ec.call(HOST_PD.PROCESS);
    this.pool = new Pool(ec.memory, utcb.get(0), utcb.get(1), utcb.get(3) === 1);
    this.fileCache = new FileCache(this.pool);
    this.pool.reclaim = () => this.fileCache.trim();
    const own = this.pool.take(OWN_BYTES, 0);
    if (own === undefined) throw new Error("The FreeBSD personality has no memory");
    this.staging = own;
    this.scratch = own + PAGE;
    this.buffer = own + 2 * PAGE;
    this.#fsClient = new IpcFsClient(ec);
    this.fs = this.#fsClient;
    this.console = new Console(this.current, ec.memory, this.buffer + BUFFER_BYTES, OWN_BYTES - BUFFER_BYTES - 2 * PAGE);
    this.signals = new Signals(this);
    this.dispatcher = new Dispatcher(this, SYSCALLS);
    this.life = new Lifecycle(this);
    this.clock.sync(ec);
  }

  /** A start request: the new pid, or an error in the services' numbers. */
  start(request: SpawnRequest): number {
    if (request.strace) this.options.strace = true;
    if (request.verbose) this.options.verbose = true;
    return this.life.spawn(request.path, request.argv, request.env, request.cwd);
  }

  /** `ec` is the EC whose code runs from here on. */
  enter(ec: HostEc): void {
    this.current.ec = ec;
    this.#fsClient.ec = ec;
  }

  /** The main EC: console input and timers, for ever. */
  *run(ec: HostEc): Coroutine {
    this.timers.onEarlier = () => void this.current.ec.smUp(HOST_PD.CONSOLE_SM);
    while (true) {
      yield ec.smDown(HOST_PD.CONSOLE_SM, this.timers.next, true);
      this.enter(ec);
      this.console.dry = false;
      this.console.queue.wakeAll();
      this.timers.run(ec.tsc());
    }
  }

  takeSlot(): Slot<Thread> {
    return this.#freeSlots.pop() ?? new Slot<Thread>(this);
  }

  giveSlot(slot: Slot<Thread>): void {
    slot.thread = undefined;
    this.#freeSlots.push(slot);
  }

  userMemory(mm: Mm): UserMemory {
    return new UserMemory(mm, this.memory, this.staging);
  }

  /** Entropy. Preconditions: at most BUFFER_BYTES. */
  random(pa: number, bytes: number): number {
    return entropy(this, pa, bytes);
  }

  now(): number {
    return this.current.ec.tsc();
  }

  warn(text: string): void {
    this.console.print(`hedra: ${text}\n`);
  }
}
