/** The services that every process can call (docs/guest-runtime.md, section 4). */
import { PAGE } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W } from "../cpu/space.ts";
import { FS_ROOT } from "../fs/api.ts";
import { O_APPEND, O_CREAT } from "../fs/flags.ts";
import { decodeText } from "../fs/text.ts";
import type { HostEc, PortalHandler } from "../hedron/api.ts";
import { EEXIST, ENOENT } from "../host/errno.ts";
import { delegateMemory } from "./delegate.ts";
import { SERVICE } from "./layout.ts";
import type { Stream } from "./output.ts";
import { Reader } from "./postcard.ts";
import type { Process } from "./process.ts";
import { type Context, SERVICE_ID_SHIFT } from "./processes.ts";

type Service = (context: Context, ec: HostEc, process: Process, request: Reader) => void;

/** Descriptors 0..2 are the standard streams, which have portals of their own. */
const FIRST_FD = 3;
const NO_FD = -1;
const PARENT_MODE = 0o755;

/** Handlers by SERVICE number. `bounce`: a page of roottask's RAM for data that comes in messages. */
export function serviceHandlers(context: Context, bounce: number): PortalHandler[] {
  const handlers: PortalHandler[] = [];
  const define = (number: number, service: Service): void => {
    handlers[number] = (id, ec) => {
      const process = context.processes.get(Math.floor(id / 2 ** SERVICE_ID_SHIFT));
      if (process === undefined || ec.utcb.untyped === 0) return;
      context.fs.ec = ec;
      service(context, ec, process, new Reader(ec.utcb.bytes.subarray(0, ec.utcb.untyped * 8)));
    };
  };
  define(SERVICE.STDOUT, (_, __, process, request) => speak(context, process, 1, request));
  define(SERVICE.STDERR, (_, __, process, request) => speak(context, process, 2, request));
  define(SERVICE.ALLOCATE, allocate);
  define(SERVICE.FS, (_, ec, process, request) => files(context, ec, process, request, bounce));
  define(SERVICE.EXIT, (_, ec, process, request) => {
    if (process.kind === "hyperapp") context.processes.end(context, ec, process, { exitCode: request.u32() & 0xff });
  });
  const echo: PortalHandler = () => {};
  handlers[SERVICE.ECHO] = handlers[SERVICE.RAW_ECHO] = echo;
  return handlers;
}

function speak(context: Context, process: Process, stream: Stream, request: Reader): void {
  const text = request.sequence();
  if (!request.failed) context.output.write(process, stream, text);
}

function reply(ec: HostEc, value: number): void {
  ec.utcb.untyped = 1;
  ec.utcb.typed = 0;
  ec.utcb.set(0, value);
}

// ---- allocate ---------------------------------------------------------------------------------------------------------

const ALLOCATE_OP = { TAKE: 0, FREE: 1 } as const;

function allocate(context: Context, ec: HostEc, process: Process, request: Reader): void {
  const operation = request.u8(), first = request.u64(), second = request.u64();
  if (operation === ALLOCATE_OP.FREE) return free(context, ec, process, first);
  reply(ec, request.failed || operation !== ALLOCATE_OP.TAKE ? 0 : take(context, ec, process, first, second));
}

/** The address, or 0. */
function take(context: Context, ec: HostEc, process: Process, size: number, align: number): number {
  // A Linux process has its memory from its personality, whose address space layout roottask does not know.
  if (process.kind !== "hyperapp" || !(size <= context.pool.bytes)) return 0;
  const bytes = Math.max(PAGE, Math.ceil(size / PAGE) * PAGE), step = Math.max(PAGE, Math.min(align, context.pool.bytes));
  if (!Number.isInteger(Math.log2(step))) return 0;
  const runs = context.pool.takeRuns(bytes);
  if (runs === undefined) return 0;
  const va = Math.ceil(process.nextAddress / step) * step;
  let at = va;
  for (const run of runs) {
    ec.memory.fill(run.start, 0, run.bytes);
    delegateMemory(ec, run.start, run.bytes, process.selectors.pd, at, RIGHT_R | RIGHT_W);
    process.mappings.push({ va: at, pa: run.start, bytes: run.bytes, writable: true, allocation: va });
    at += run.bytes;
  }
  process.nextAddress = va + bytes;
  return va;
}

function free(context: Context, ec: HostEc, process: Process, va: number): void {
  for (let i = process.mappings.length - 1; i >= 0; i--) {
    const mapping = process.mappings[i];
    if (mapping.allocation !== va) continue;
    delegateMemory(ec, mapping.pa, mapping.bytes, process.selectors.pd, mapping.va, 0);
    context.pool.give(mapping.pa, mapping.bytes);
    process.mappings.splice(i, 1);
  }
}

// ---- fs ---------------------------------------------------------------------------------------------------------------

/** Variants of the request (ABI 10.8). */
const FS_REQUEST = { OPEN: 0, READ: 1, LSEEK: 2, WRITE: 3, CLOSE: 4 } as const;
const DATA = { POINTER: 0, BYTE: 1, SLICE: 2 } as const;

function files(context: Context, ec: HostEc, process: Process, request: Reader, bounce: number): void {
  switch (request.u8()) {
    case FS_REQUEST.OPEN: {
      const path = request.sequence(), flags = request.u32(), mode = request.u16();
      return reply(ec, request.failed ? NO_FD : open(context, process, decodeText(path, 0, path.length), flags, mode));
    }
    case FS_REQUEST.READ:
      return reply(ec, read(context, process, request.i32(), request.u64(), request.u64()));
    case FS_REQUEST.LSEEK: {
      const file = process.files.get(request.i32()), offset = request.u64();
      if (file !== undefined && !request.failed && Number.isSafeInteger(offset)) file.offset = offset;
      return;
    }
    case FS_REQUEST.WRITE:
      return reply(ec, write(context, ec, process, request, bounce));
    case FS_REQUEST.CLOSE: {
      const fd = request.i32(), file = process.files.get(fd);
      if (file === undefined) return;
      process.files.delete(fd);
      context.fs.close(file.handle);
    }
  }
}

/** A descriptor as the client's i32: the upper half of the reply word is not looked at. */
function open(context: Context, process: Process, path: string, flags: number, mode: number): number {
  let handle = context.fs.open(FS_ROOT, path, flags | 0, mode);
  if (handle === -ENOENT && (flags & O_CREAT) !== 0 && makeParents(context, path)) {
    handle = context.fs.open(FS_ROOT, path, flags | 0, mode);
  }
  if (handle < 0) return NO_FD;
  let fd = FIRST_FD;
  while (process.files.has(fd)) fd++;
  process.files.set(fd, { handle, offset: 0, append: (flags & O_APPEND) !== 0 });
  return fd;
}

/** The thesis's file system is flat, so its programs create "/foo/bar" without asking for "/foo". False when a directory cannot be made. */
function makeParents(context: Context, path: string): boolean {
  for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
    const made = context.fs.mkdir(FS_ROOT, path.slice(0, end), PARENT_MODE);
    if (made < 0 && made !== -EEXIST) return false;
  }
  return true;
}

function read(context: Context, process: Process, fd: number, address: number, count: number): number {
  const file = process.files.get(fd);
  if (file === undefined) return 0;
  let done = 0;
  while (done < count) {
    const piece = process.translate(address + done, count - done, true);
    if (piece.length === 0) break;
    const got = context.fs.read(file.handle, file.offset, piece.pa, piece.length);
    if (got <= 0) break;
    done += got;
    file.offset += got;
    if (got < piece.length) break;
  }
  return done;
}

function write(context: Context, ec: HostEc, process: Process, request: Reader, bounce: number): number {
  const file = process.files.get(request.i32());
  if (file === undefined) return 0;
  const put = (pa: number, length: number): number => {
    const written = context.fs.write(file.handle, file.append ? -1 : file.offset, pa, length);
    if (written > 0) file.offset = file.append ? context.fs.size(file.handle) : file.offset + written;
    return Math.max(0, written);
  };
  const fromMessage = (bytes: Uint8Array): number => {
    ec.memory.view(bounce, bytes.length, true).set(bytes);
    return put(bounce, bytes.length);
  };
  switch (request.u8()) {
    case DATA.POINTER: {
      const address = request.u64(), count = request.u64();
      let done = 0;
      while (done < count) {
        const piece = process.translate(address + done, count - done, false);
        const written = piece.length === 0 ? 0 : put(piece.pa, piece.length);
        done += written;
        if (written === 0 || written < piece.length) break;
      }
      return done;
    }
    case DATA.BYTE: {
      const byte = request.u8();
      return request.failed ? 0 : fromMessage(Uint8Array.of(byte));
    }
    case DATA.SLICE: {
      const bytes = request.sequence(), count = request.u64();
      return request.failed ? 0 : fromMessage(bytes.subarray(0, Math.min(count, bytes.length)));
    }
  }
  return 0;
}
