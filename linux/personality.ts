import type { Coroutine, HostEc, HostMemory } from "../hedron/api.ts";
import { FS_ROOT, type FsClient } from "../fs/api.ts";
import { IpcFsClient } from "../fs/client.ts";
import type { Identity } from "../fs/identity.ts";
import { HOST_PD, PROCESS_SERVICE, type SpawnRequest } from "../roottask/protocol.ts";
import { AT_FDCWD } from "./abi/fcntl.ts";
import { virtual } from "./proc/resolve.ts";
import { Console } from "./files/console.ts";
import type { FsMapping } from "./files/fs_mapping.ts";
import { emptyStat } from "./files/open_file.ts";
import { Watches } from "./files/inotify.ts";
import { FileLocks } from "./files/locks.ts";
import type { PosixQueue } from "./files/message_queue.ts";
import type { Pipe } from "./files/pipe.ts";
import { Ptys } from "./files/pty.ts";
import { Tty } from "./files/tty.ts";
import { FIXED_LAYOUT, type Layout, randomLayout } from "./loader/layout.ts";
import type { LinuxOptions } from "./options.ts";
import { UserMemory } from "./memory/user.ts";
import type { Mm } from "./memory/mm.ts";
import { IpcTable } from "./ipc/table.ts";
import { Network } from "./net/network.ts";
import { Resolver } from "./net/resolver.ts";
import { Uplink } from "./net/uplink.ts";
import { FileCache } from "./memory/file_cache.ts";
import { Pool } from "./memory/pool.ts";
import { SharedObject } from "./memory/shared.ts";
import { Clock } from "./process/clock.ts";
import { type Credentials, credentialsOf } from "./process/credentials.ts";
import { Dispatcher } from "./process/dispatch.ts";
import type { CurrentEc } from "./process/kernel_space.ts";
import { Futexes } from "./process/futex.ts";
import { IntervalTimer, PosixTimers, processTimer } from "./process/itimer.ts";
import { Lifecycle } from "./process/lifecycle.ts";
import { tellParent } from "./process/parents.ts";
import type { Process } from "./process/process.ts";
import { THREADS_MAX } from "./process/limits.ts";
import { type Granted, readPermissions } from "./process/permissions.ts";
import { entropy } from "./process/registration.ts";
import { Selectors } from "./process/selectors.ts";
import { Slot } from "./process/slot.ts";
import type { Thread } from "./process/thread.ts";
import { WaitQueue } from "./process/wait.ts";
import { Timers } from "./process/timers.ts";
import { Signals } from "./signals/engine.ts";
import type { SigInfo } from "./signals/state.ts";
import type { MessageQueue } from "./syscalls/sysv_msg.ts";
import { type SemaphoreSet, undoSemaphores } from "./syscalls/sysv_sem.ts";
import type { Segment } from "./syscalls/sysv_shm.ts";
import { UTSNAME } from "./syscalls/system.ts";
import { SYSCALLS } from "./syscalls/table.ts";
import type { CallObserver } from "./trace/observer.ts";
import { both, Learner } from "./trace/learner.ts";
import { reportMissing } from "./trace/missing.ts";
import { Refusals } from "./trace/refusals.ts";
import { Summary } from "./trace/summary.ts";
import { Vdso } from "./vdso/vdso.ts";
import { Tracer } from "./trace/tracer.ts";

/** RAM that the personality uses itself: staging page, scratch page, texts. */
const OWN_BYTES = 256 << 10;
const PAGE = 4096;
const LAYOUT_BYTES = 16;
/** Bytes of `Personality.buffer`. */
export const BUFFER_BYTES = 128 << 10;

/** The Linux personality: everything that its processes share. Created by its PD's first EC. */
export class Personality {
  readonly current: CurrentEc;
  readonly memory: HostMemory;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly data: DataView<ArrayBuffer>;
  readonly pool: Pool;
  readonly fileCache: FileCache;
  /**
   * Random, but one for all programs of this machine: what the processor has learned about code at one address then serves every process
   * that runs it.
   */
  readonly layout: Layout;
  readonly vdso: Vdso | undefined;
  readonly fs: FsClient;
  /** Whose rights the file service looks at. */
  #actor: Identity | undefined;
  #actorRoot: number = FS_ROOT;
  readonly #fsClient: IpcFsClient;
  readonly console: Console;
  readonly statBuffer = emptyStat();
  /** The host's terminal, once a program has it. */
  consoleTty: Tty | undefined;
  readonly ptys = new Ptys();
  readonly clock = new Clock();
  readonly timers = new Timers();
  readonly locks = new FileLocks();
  readonly network: Network;
  readonly resolver = new Resolver(this);
  readonly refusals = new Refusals(this);
  /** Threads and epolls that wait for signals through a signalfd. */
  readonly signalQueue = new WaitQueue();
  readonly futexes = new Futexes();
  readonly watches = new Watches();
  /** System V shared memory, semaphores and message queues. */
  readonly shm = new IpcTable<Segment>(4096);
  readonly sem = new IpcTable<SemaphoreSet>(32000);
  readonly posixQueues = new Map<string, PosixQueue>();
  readonly msg = new IpcTable<MessageQueue>(32000);
  readonly selectors = new Selectors();
  readonly signals: Signals;
  readonly dispatcher: Dispatcher;
  readonly life: Lifecycle;
  tracer: CallObserver | undefined;
  readonly options: LinuxOptions;
  /** What the user has granted (roottask/permissions.ts). */
  readonly permissions: readonly Granted[];
  /** The way to the host's network. */
  readonly uplink: Uplink;
  readonly #maxTasks: number;
  readonly processes = new Map<number, Process>();
  /** By "device:inode". */
  readonly sharedFiles = new Map<string, SharedObject>();
  hostname: string = UTSNAME.nodename;
  domainname: string = UTSNAME.domainname;
  /** Named pipes that somebody has open, by "device:inode". */
  readonly fifos = new Map<string, Pipe>();
  readonly #freeSlots: Slot[] = [];
  /** One page for structures that straddle extents; one for frames; a buffer for transfers. Physical addresses. */
  readonly staging: number;
  readonly scratch: number;
  readonly buffer: number;

  constructor(ec: HostEc, options: LinuxOptions) {
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
    this.permissions = readPermissions(ec, utcb.get(2));
    this.#maxTasks = Number(this.permissions.find(({ name }) => name === "max-procs")?.value ?? THREADS_MAX);
    const own = this.pool.take(OWN_BYTES, 0);
    if (own === undefined) throw new Error("The Linux personality has no memory");
    this.staging = own;
    this.scratch = own + PAGE;
    this.buffer = own + 2 * PAGE;
    this.random(this.scratch, LAYOUT_BYTES);
    this.u8.set(options.layoutSeed?.subarray(0, LAYOUT_BYTES) ?? [], this.scratch);
    this.layout = options.fixedAddresses
      ? FIXED_LAYOUT
      : randomLayout(new DataView(this.u8.buffer, this.u8.byteOffset + this.scratch, LAYOUT_BYTES));
    this.uplink = new Uplink(this, this.permissions);
    this.network = new Network(this.pool.totalBytes / 4);
    this.fileCache = new FileCache(this.pool);
    this.pool.reclaim = () => this.fileCache.trim();
    this.#fsClient = new IpcFsClient(ec);
    this.fs = this.#fsClient;
    this.console = new Console(this.current, ec.memory, this.buffer + BUFFER_BYTES, OWN_BYTES - BUFFER_BYTES - 2 * PAGE);
    this.signals = new Signals(this);
    if (options.strace) this.#trace();
    if (options.learned) this.tracer = this.tracer ? both(this.tracer, new Learner(this)) : new Learner(this);
    this.dispatcher = new Dispatcher(this, SYSCALLS);
    this.life = new Lifecycle(this);
    this.clock.sync(ec);
    this.vdso = Vdso.create(this.pool, this.u8, this.data);
    this.vdso?.update(this.clock);
  }

  /** A start request: the new pid, or -errno. */
  start(request: SpawnRequest): number {
    if (request.strace && !this.options.strace) this.#trace();
    if (request.verbose) this.options.verbose = true;
    return this.life.spawn(request, this.#user);
  }

  /** Who programs start as; in no group but their own. */
  get #user(): Credentials {
    const { uid, gid } = this.options.user ?? { uid: 0, gid: 0 };
    return credentialsOf(uid, gid, []);
  }

  #trace(): void {
    const { traceSet, traceSummary } = this.options;
    this.tracer ??= traceSummary ? new Summary(this, traceSet) : new Tracer(this, traceSet);
  }

  /** `ec` is the EC whose code runs from here on. */
  enter(ec: HostEc): void {
    this.current.ec = ec;
    this.#fsClient.ec = ec;
  }

  /** The file service, for requests of `who` whose root directory has this handle; it is told only when that is somebody else than last time. */
  actAs(who: Identity, root: number): FsClient {
    if (who !== this.#actor) {
      this.#actor = who;
      this.fs.actAs(who);
    }
    if (root !== this.#actorRoot) {
      this.#actorRoot = root;
      this.fs.setRoot(root);
    }
    return this.fs;
  }

  /** The main EC: console input and timers, for ever. */
  *run(ec: HostEc): Coroutine {
    // An earlier timer must cut the wait short.
    this.timers.onEarlier = () => void this.current.ec.smUp(HOST_PD.CONSOLE_SM);
    while (true) {
      yield ec.smDown(HOST_PD.CONSOLE_SM, this.timers.next, true);
      this.enter(ec);
      this.console.dry = false;
      if (this.consoleTty !== undefined) this.#typed(this.consoleTty);
      this.console.queue.wakeAll();
      this.uplink.look();
      this.timers.run(ec.tsc());
    }
  }

  /** The pages of a file that is mapped shared: one object for all mappings of the file. Takes over `mapping`. */
  sharedFile(mapping: FsMapping): SharedObject {
    const key = `${mapping.dev}:${mapping.ino}`;
    const old = this.sharedFiles.get(key);
    if (old !== undefined) {
      mapping.release();
      old.dup();
      return old;
    }
    const object = new SharedObject(this.pool, mapping, 0, () => void this.sharedFiles.delete(key));
    this.sharedFiles.set(key, object);
    return object;
  }

  /** Does the granted number of tasks allow one more? Zombies count, as for a pids cgroup. */
  mayAddTask(): boolean {
    let tasks = 0;
    for (const p of this.processes.values()) tasks += Math.max(1, p.threads.length);
    return tasks < this.#maxTasks;
  }

  threadById(tid: number): Thread | undefined {
    const leader = this.processes.get(tid)?.threads[0];
    if (leader?.tid === tid) return leader;
    for (const p of this.processes.values()) {
      const found = p.threads.find((t) => t.tid === tid);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** CPU time used by a process so far, ns. */
  cpuTime(p: Process): number {
    let total = p.cpuTime;
    for (const t of p.threads) total += Math.max(0, this.current.ec.scTime(t.sc)) * 1000;
    return total;
  }

  /** Where execve looks for `path`: the same, except for /proc/self/exe and the like. */
  execPath(t: Thread, path: string): string {
    const place = virtual(t, AT_FDCWD, path, true);
    return typeof place === "object" && place.kind === "real" ? place.path : path;
  }

  itimer(p: Process, which: number): IntervalTimer {
    p.itimers[which] ??= processTimer(this, p, which);
    return p.itimers[which];
  }

  posixTimers(p: Process): PosixTimers {
    p.posixTimers ??= new PosixTimers(this);
    return p.posixTimers;
  }

  /** The host's terminal as a terminal of this machine; its keys come to our own line discipline. */
  openConsoleTty(): Tty {
    if (this.consoleTty !== undefined) return this.consoleTty;
    const tty = new Tty(this, (bytes) => this.console.show(bytes), true);
    this.consoleTty = tty;
    if (this.console.isTerminal(0)) {
      this.console.setRaw(true);
      this.#typed(tty);
    }
    return tty;
  }

  /** Takes what has been typed. */
  #typed(tty: Tty): void {
    while (true) {
      const got = this.console.read(this.buffer, BUFFER_BYTES);
      if (got === 0) tty.hangUp();
      if (got <= 0) return;
      tty.receive(this.u8.slice(this.buffer, this.buffer + got));
    }
  }

  /** The path of a handle, as /proc shows it. */
  pathOf(handle: number): string {
    const path = this.fs.pathOf(handle);
    return typeof path === "string" ? path : "(deleted)";
  }

  takeSlot(): Slot {
    return this.#freeSlots.pop() ?? new Slot(this);
  }

  giveSlot(slot: Slot): void {
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

  /** Inode numbers of pipes, sockets and other files without a file system. */
  nextInode(): number {
    return ++this.#inode;
  }
  #inode = 1000;

  now(): number {
    return this.current.ec.tsc();
  }

  /** A line on stderr from the personality itself. */
  warn(text: string): void {
    this.console.print(`hedra: ${text}\n`);
  }

  /** A program that roottask has started is no more. */
  programEnded(): void {
    this.tracer?.finished?.();
    reportMissing(this);
    const refused = this.options.learned ? undefined : this.refusals.line();
    if (refused !== undefined) this.warn(refused);
  }

  // Shorthands for the signal code, which knows no life cycle.

  endThread(t: Thread): void {
    this.life.endThread(t);
  }

  killProcess(p: Process, info: SigInfo, by: Thread): void {
    this.life.killProcess(p, info, by);
  }

  tellParent(p: Process, code: number, status: number): void {
    tellParent(this, p, code, status);
  }

  /** Descriptors are closed, memory is about to go. */
  endOfProcess(p: Process): void {
    if (p.pid === p.root && this.consoleTty !== undefined) this.console.setRaw(false);
    if (p.sid === p.pid && p.tty !== undefined) p.tty.session = p.tty.foreground = 0;
    this.locks.dropProcess(p);
    undoSemaphores(p);
    for (const timer of p.itimers) timer?.stop();
    p.posixTimers?.stopAll();
    p.cpuLimit?.stop();
  }

  signalArrived(_p: Process, _signal: number): void {
    this.signalQueue.wakeAll();
  }
}
