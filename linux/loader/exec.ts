import { E } from "../abi/errno.ts";
import { MAY_READ } from "../../fs/identity.ts";
import { O_EXEC, S_ISGID, S_ISUID, S_IXGRP } from "../../fs/flags.ts";
import { PAGE, pageDown, pageUp, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { emptyStat } from "../files/open_file.ts";
import { FsMapping } from "../files/fs_mapping.ts";
import type { Mm } from "../memory/mm.ts";
import { newVma } from "../memory/vma.ts";
import type { Personality } from "../personality.ts";
import type { Credentials, SetIds } from "../process/credentials.ts";
import type { Image } from "../process/process.ts";
import { decodeElf, type ElfFile, headerTable, type Segment } from "./elf.ts";
import { type Layout, mmapBase } from "./layout.ts";
import { bytesToText } from "../trace/text.ts";
import { PREFIX_BYTES, scriptLine } from "./script.ts";
import { AT, buildStack, stackBytes } from "./stack.ts";

/** Nesting of scripts, fs/exec.c. */
const MAX_SCRIPTS = 5;
/** Segments up to this size are read when the program starts, if they are at most a quarter of what is free; larger ones when touched. */
const EAGER_SEGMENT = 16 << 20;
/** Zero-initialised data up to this size gets its memory at once, if it is at most a quarter of what is free. */
const EAGER_ZEROS = 64 << 20;
/** The stack that exists from the start; more comes by page faults. */
const FIRST_STACK = 128 << 10;
/** CPUID.1:EDX. */
const HWCAP = 0x078b_fbff;
const CLK_TCK = 100;

export interface Opened {
  file: FsMapping;
  setIds: SetIds;
  /** May who executes it read it as well? If not, the process must not be looked into. */
  readable: boolean;
  elf: ElfFile;
}

/** What loading needs of a personality, whichever it is. */
export type ExecOwner = Pick<Personality, "fs" | "fileCache" | "buffer" | "u8" | "data">;

/** Everything checked and opened: what cannot fail any more, except for memory. */
export interface ExecPlan {
  program: Opened;
  interpreter: Opened | undefined;
  argv: string[];
  env: string[];
  /** AT_EXECFN. */
  execfn: string;
  /** Last component, for comm. */
  name: string;
}

export interface Started {
  entry: number;
  sp: number;
  image: Image;
}

/**
 * Opens an executable file; -errno when that cannot be, or the caller may not execute it. While a program runs nobody may write to it
 * (`deny`); its interpreter is only tested for writers.
 */
function openExecutable(
  os: ExecOwner,
  dir: number,
  path: string,
  flags: number,
  deny = true,
): Omit<Opened, "elf"> | number {
  let handle = os.fs.open(dir, path, flags | O_EXEC, 0);
  if (handle < 0) return handle;
  const plain = deny ? -1 : os.fs.open(handle, "", 0, 0);
  if (plain >= 0) {
    os.fs.close(handle);
    handle = plain;
  }
  const stat = emptyStat();
  const status = os.fs.fstat(handle, stat);
  if (status < 0) {
    os.fs.close(handle);
    return status;
  }
  const real = os.fs.pathOf(handle);
  const file = new FsMapping(os.fs, os.fileCache, handle, typeof real === "string" ? real : path, stat);
  const hasGid = (stat.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  const readable = (stat.mode & 0o444) === 0o444 || os.fs.access(handle, "", MAY_READ, true) >= 0;
  return { file, readable, setIds: { ...((stat.mode & S_ISUID) !== 0 && { uid: stat.uid }), ...(hasGid && { gid: stat.gid }) } };
}

/** Reads the ELF headers of `file`; `bad` is the errno for "no ELF file". */
function readElf(os: ExecOwner, file: FsMapping, bad: number): ElfFile | number {
  const at = os.buffer;
  os.u8.fill(0, at, at + PAGE);
  const got = file.read(0, at, PREFIX_BYTES);
  if (got < 0) return got;
  const table = headerTable(os.data, at, got);
  if (typeof table === "number") return -bad;
  if (file.read(table.offset, at + PAGE, table.bytes) !== table.bytes) return -bad;
  return decodeElf(os.data, at, at + PAGE);
}

/**
 * First half of execve(2): finds the program, follows scripts, opens the interpreter and checks all headers.
 * `dir` is a directory handle for relative paths. -errno when there is nothing to run; -EINVAL means that Linux would have found out
 * only after destroying the old image.
 */
export function planExec(
  os: ExecOwner,
  dir: number,
  path: string,
  argv: readonly string[],
  env: readonly string[],
  openFlags = 0,
): ExecPlan | number {
  let args = [...argv];
  let current = path;
  for (let depth = 0;; depth++) {
    const opened = openExecutable(os, dir, current, openFlags);
    if (typeof opened === "number") return opened;
    const { file } = opened;
    const elf = readElf(os, file, E.ENOEXEC);
    if (typeof elf !== "number") return withInterpreter(os, dir, { ...opened, elf }, args, [...env], path);
    const script = scriptLine(os.u8.subarray(os.buffer, os.buffer + PREFIX_BYTES));
    file.release();
    if (elf !== -E.ENOEXEC || typeof script === "number") return elf;
    if (depth >= MAX_SCRIPTS) return -E.ELOOP;
    args = [script.path, ...(script.argument === undefined ? [] : [script.argument]), current, ...args.slice(1)];
    current = script.path;
  }
}

function withInterpreter(
  os: ExecOwner,
  dir: number,
  program: Opened,
  argv: string[],
  env: string[],
  execfn: string,
): ExecPlan | number {
  const plan: ExecPlan = { program, interpreter: undefined, argv, env, execfn, name: execfn.slice(execfn.lastIndexOf("/") + 1) };
  const { interp } = program.elf;
  if (interp === undefined) return checked(plan);
  const status = openInterpreter(os, dir, program.file, interp);
  if (typeof status === "number") {
    program.file.release();
    return status;
  }
  plan.interpreter = status;
  return checked(plan);
}

/** -EINVAL when it can be opened but not mapped: see `ElfFile.broken`. */
function checked(plan: ExecPlan): ExecPlan | number {
  if (!plan.program.elf.broken && plan.interpreter?.elf.broken !== true) return plan;
  dropPlan(plan);
  return -E.EINVAL;
}

function openInterpreter(
  os: ExecOwner,
  dir: number,
  program: FsMapping,
  interp: { offset: number; size: number },
): Opened | number {
  const at = os.buffer;
  if (program.read(interp.offset, at, interp.size) !== interp.size) return -E.EIO;
  if (os.u8[at + interp.size - 1] !== 0) return -E.ENOEXEC;
  const zero = os.u8.indexOf(0, at);
  const path = bytesToText(os.u8, at, zero - at);
  const opened = openExecutable(os, dir, path, 0, false);
  if (typeof opened === "number") return opened;
  const elf = readElf(os, opened.file, E.ELIBBAD);
  if (typeof elf === "number") {
    opened.file.release();
    return elf;
  }
  return { ...opened, elf };
}

export function dropPlan(plan: ExecPlan): void {
  plan.program.file.release();
  plan.interpreter?.file.release();
}

/** Do arguments and environment fit (MAX_ARG_STRLEN, and a quarter of the stack limit)? */
export function argumentsFit(argv: readonly string[], env: readonly string[], stackLimit: number): boolean {
  const limit = Math.min(Math.max(stackLimit / 4, MIN_ARGUMENTS), 6 << 20);
  return stackBytes(argv, env) <= limit;
}
const MIN_ARGUMENTS = 128 << 10;

/**
 * Second half: maps program, interpreter and stack into `mm`, which is empty. Undefined when memory is short.
 * The plan's files pass to the areas.
 */
export function startImage(
  os: Personality,
  mm: Mm,
  plan: ExecPlan,
  { credentials, secure, layout }: { credentials: Credentials; secure: boolean; layout: Layout },
): Started | undefined {
  const { program, interpreter } = plan;
  const { elf } = program;
  const { stackTop: top, pieBase } = layout;
  mm.mmapBase = mmapBase(layout, mm.stackLimit);
  const bias = elf.relocatable ? pieBase - pieBase % elf.align - (elf.low - elf.low % elf.align) : 0;
  let ok = mapElf(os, mm, program, bias);
  mm.brkStart = mm.brk = pageUp(elf.high + bias) + layout.heapGap;

  let base = 0;
  let entry = elf.entry + bias;
  if (interpreter !== undefined && ok) {
    const at = mm.findGap(interpreter.elf.high - interpreter.elf.low);
    base = (at ?? 0) - interpreter.elf.low;
    ok = at !== undefined && mapElf(os, mm, interpreter, base);
    entry = interpreter.elf.entry + base;
  }
  dropPlan(plan);
  if (!ok) return undefined;
  const vdso = os.vdso?.mapInto(mm);

  os.random(os.scratch, 16);
  const { ruid, euid, rgid, egid } = credentials;
  const stack = buildStack({
    top: top - layout.stackSlack,
    argv: plan.argv,
    env: plan.env,
    execfn: plan.execfn,
    platform: "x86_64",
    random: os.u8.slice(os.scratch, os.scratch + 16),
    auxv: [
      ...(vdso === undefined ? [] : [[AT.SYSINFO_EHDR, vdso] as const]),
      [AT.MINSIGSTKSZ, 2048],
      [AT.HWCAP, HWCAP],
      [AT.PAGESZ, PAGE],
      [AT.CLKTCK, CLK_TCK],
      [AT.PHDR, elf.phdr + bias],
      [AT.PHENT, elf.phentsize],
      [AT.PHNUM, elf.phnum],
      [AT.BASE, interpreter === undefined ? 0 : base],
      [AT.FLAGS, 0],
      [AT.ENTRY, elf.entry + bias],
      [AT.UID, ruid],
      [AT.EUID, euid],
      [AT.GID, rgid],
      [AT.EGID, egid],
      [AT.SECURE, secure ? 1 : 0],
    ],
  });
  const area = newVma(pageDown(stack.sp) - FIRST_STACK, top, PROT_READ | PROT_WRITE | (elf.execStack ? PROT_EXEC : 0));
  area.growsDown = true;
  area.name = "[stack]";
  if (!mm.add(area, true)) return undefined;
  const user = os.userMemory(mm);
  if (!user.putBytes(stack.sp, stack.bytes)) return undefined;
  const image: Image = {
    path: program.file.path,
    argv: plan.argv,
    argStart: stack.argStart,
    argEnd: stack.argEnd,
    envStart: stack.envStart,
    envEnd: stack.envEnd,
    auxv: stack.auxv,
  };
  return { entry, sp: stack.sp, image };
}

/** Maps all segments of a program. False when memory is short. */
export function mapElf(os: Pick<Personality, "userMemory">, mm: Mm, { file, elf }: Opened, bias: number): boolean {
  return elf.segments.every((segment) => mapSegment(os, mm, file, segment, bias));
}

/** One PT_LOAD: the file's pages, then zero pages; the rest of the last file page is cleared when there is a zero part. */
function mapSegment(os: Pick<Personality, "userMemory">, mm: Mm, file: FsMapping, segment: Segment, bias: number): boolean {
  const start = segment.vaddr + bias;
  const fileEnd = start + segment.fileSize;
  const end = pageUp(start + segment.memSize);
  let zeroFrom = pageDown(start);
  if (segment.fileSize > 0) {
    const vma = newVma(pageDown(start), pageUp(fileEnd), segment.prot);
    vma.file = file;
    vma.offset = segment.offset - (start - vma.start);
    file.dup();
    zeroFrom = vma.end;
    if (!mm.add(vma, vma.end - vma.start <= Math.min(EAGER_SEGMENT, mm.pool.freeBytes / 4) || undefined)) return false;
    if (segment.memSize > segment.fileSize && (segment.prot & PROT_WRITE) !== 0 && !clearTail(os, mm, fileEnd)) return false;
  }
  // Static arrays in one physical piece are faster to reach; memory that was never used costs the host nothing until it is touched.
  const eager = end - zeroFrom <= Math.min(EAGER_ZEROS, mm.pool.freeBytes / 4);
  return zeroFrom >= end || mm.add(newVma(zeroFrom, end, segment.prot), eager || undefined);
}

function clearTail(os: Pick<Personality, "userMemory">, mm: Mm, from: number): boolean {
  const bytes = pageUp(from) - from;
  return bytes === 0 || os.userMemory(mm).fill(from, 0, bytes);
}
