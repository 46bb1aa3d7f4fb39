/** Starting a hyperapp: address space and capabilities of ABI 10.3 and 10.4. */
import { PAGE } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import { CrdKind, type PortalHandler, Status } from "../hedron/api.ts";
import { ENOEXEC, ENOMEM } from "../host/errno.ts";
import { delegateMemory, delegateObject } from "./delegate.ts";
import type { Executable, Segment } from "./elf.ts";
import { BROKER_ID, EXCEPTIONS, PRIORITY, QUANTUM_US, RIGHT_CALL, RIGHT_CREATE, ROOT, SERVICE, SERVICE_NAMES } from "./layout.ts";
import type { Process } from "./process.ts";
import { type Context, SERVICE_ID_SHIFT } from "./processes.ts";
import { PROCESS } from "./protocol.ts";

/** Distance of the allocate service's area from the program break (ABI 10.4). */
const ALLOCATE_GAP = 0x4000_0000;
const STACK_BYTES = PROCESS.STACK_PAGES * PAGE;
const PF_X = 1, PF_W = 2;

/** Selector in the process of each service portal. */
const SERVICE_SELECTORS: readonly [number, number][] = [
  [SERVICE.STDOUT, PROCESS.STDOUT],
  [SERVICE.STDERR, PROCESS.STDERR],
  [SERVICE.ALLOCATE, PROCESS.ALLOCATE],
  [SERVICE.FS, PROCESS.FS],
  [SERVICE.ECHO, PROCESS.ECHO],
  [SERVICE.RAW_ECHO, PROCESS.RAW_ECHO],
  [SERVICE.EXIT, PROCESS.EXIT],
];

export interface Handlers {
  exception: PortalHandler;
  services: readonly PortalHandler[];
  /** When there is a manifest. */
  broker?: PortalHandler;
}

/** May a process have this capability? The names are SERVICE_NAMES and "broker". */
export type Grant = (capability: string) => boolean;

/** The new process, or -errno. `file` is an open handle of the executable. */
export function startHyperapp(
  context: Context,
  name: string,
  file: number,
  elf: Executable,
  handlers: Handlers,
  granted: Grant = () => true,
): Process | number {
  const { main: ec, processes } = context;
  if (!elf.segments.every(isSane)) return -ENOEXEC;
  const process = processes.create("hyperapp", name), { selectors } = process;
  process.entry = elf.entry;
  const fail = (status: number): number => {
    processes.end(context, ec, process, { exitCode: 126 });
    processes.endings.delete(process.pid);
    return status;
  };

  const created = ec.createPd(selectors.pd, ROOT.PD, { kind: CrdKind.Null, base: 0, order: 0, rights: 0 });
  if (created !== Status.Success) return fail(-ENOMEM);
  delegateObject(ec, selectors.pd, RIGHT_CREATE, selectors.pd, PROCESS.SELF_PD);
  const status = ec.createEc(selectors.ec, selectors.pd, { global: true, utcb: PROCESS.UTCB, stack: 0, eventBase: 0 });
  if (status !== Status.Success) return fail(-ENOMEM);
  // The thesis's runtime delegates EC and SC with rights 0, which gives nothing; so do we, by not doing it.
  processes.createExceptionPortals(ec, process, handlers.exception);
  for (let v = 0; v < EXCEPTIONS; v++) delegateObject(ec, selectors.exceptions + v, RIGHT_CALL, selectors.pd, v);

  const loaded = loadMemory(context, process, file, elf);
  if (loaded < 0) return fail(loaded);
  processes.createServicePortals(ec, process, handlers.services, SERVICE.RAW_ECHO);
  for (const [service, selector] of SERVICE_SELECTORS) {
    if (!granted(SERVICE_NAMES[service])) continue;
    delegateObject(ec, selectors.services + service, RIGHT_CALL, selectors.pd, selector);
  }
  if (handlers.broker !== undefined && granted("broker")) {
    ec.createPt(selectors.broker, ROOT.PD, ROOT.SERVICE_EC, 0, handlers.broker);
    ec.ptCtrl(selectors.broker, process.pid << SERVICE_ID_SHIFT | BROKER_ID);
    ec.label(selectors.broker, `broker of process ${process.pid}`);
    delegateObject(ec, selectors.broker, RIGHT_CALL, selectors.pd, PROCESS.BROKER);
  }
  ec.createSc(selectors.sc, ROOT.PD, selectors.ec, PRIORITY.PROGRAM, QUANTUM_US);
  ec.label(selectors.pd, name);
  ec.label(selectors.ec, "main");
  return process;
}

const pageDown = (address: number): number => address - address % PAGE;
const pageUp = (address: number): number => Math.ceil(address / PAGE) * PAGE;

function isSane({ address, fileBytes, memoryBytes }: Segment): boolean {
  return fileBytes <= memoryBytes && memoryBytes < PROCESS.STACK_TOP && address >= PAGE &&
    address + memoryBytes + ALLOCATE_GAP < PROCESS.STACK_TOP - STACK_BYTES;
}

/** Maps zeroed memory from the pool, contiguous in RAM; its address in roottask, or 0. */
function mapFresh(context: Context, process: Process, va: number, bytes: number, rights: number): number {
  const pa = context.pool.take(bytes);
  if (pa !== 0) mapZeroed(context, process, va, pa, bytes, rights);
  return pa;
}

function mapZeroed({ main: ec }: Context, process: Process, va: number, pa: number, bytes: number, rights: number): void {
  ec.memory.fill(pa, 0, bytes);
  delegateMemory(ec, pa, bytes, process.selectors.pd, va, rights);
  process.mappings.push({ va, pa, bytes, writable: (rights & RIGHT_W) !== 0, allocation: undefined });
}

function loadMemory(context: Context, process: Process, file: number, elf: Executable): number {
  const { main: ec, fs, pool } = context;
  fs.ec = ec;
  let top = 0, mapped = 0, mappedPa = 0;
  for (const segment of elf.segments.toSorted((a, b) => a.address - b.address)) {
    const start = Math.max(pageDown(segment.address), mapped), end = pageUp(segment.address + segment.memoryBytes);
    const rights = RIGHT_R | (segment.flags & PF_W ? RIGHT_W : 0) | (segment.flags & PF_X ? RIGHT_X : 0);
    // A segment may begin on the last page of the one before; that page is shared and has all rights.
    const shared = Math.min(start, segment.address + segment.fileBytes) - segment.address;
    if (shared > 0) {
      if (segment.address < mapped - PAGE) return -ENOEXEC;
      fs.read(file, segment.offset, mappedPa + PAGE - (mapped - segment.address), shared);
      delegateMemory(ec, mappedPa, PAGE, process.selectors.pd, mapped - PAGE, RIGHT_R | RIGHT_W | RIGHT_X);
    }
    if (end > start) {
      const pa = mapFresh(context, process, start, end - start, rights);
      if (pa === 0) return -ENOMEM;
      const skip = Math.max(0, start - segment.address), bytes = segment.fileBytes - skip;
      if (bytes > 0 && readAll(context, file, segment.offset + skip, pa + segment.address + skip - start, bytes) < bytes) {
        return -ENOEXEC;
      }
      mapped = end;
      mappedPa = pa + end - start - PAGE;
    }
    top = Math.max(top, segment.address + segment.memoryBytes);
  }
  process.nextAddress = pageDown(top) + PAGE + ALLOCATE_GAP;
  const stack = pool.takeRuns(STACK_BYTES);
  if (stack === undefined) return -ENOMEM;
  let at = PROCESS.STACK_TOP - STACK_BYTES;
  for (const { start, bytes } of stack) {
    mapZeroed(context, process, at, start, bytes, RIGHT_R | RIGHT_W);
    at += bytes;
  }
  return 0;
}

/** Bytes read; fewer than `length` only at the end of the file. */
export function readAll(context: Context, file: number, offset: number, pa: number, length: number): number {
  let done = 0;
  while (done < length) {
    const got = context.fs.read(file, offset + done, pa + done, length - done);
    if (got <= 0) break;
    done += got;
  }
  return done;
}
