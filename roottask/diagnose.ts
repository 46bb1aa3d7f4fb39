/**
 * Says in words why a file is no executable: before the machine starts, or when a start has failed. Offsets and values are those of the ELF-64
 * object file format (System V ABI, chapters 4 and 5; Linux elf.h).
 */

import type { ReadAt } from "./elf.ts";

export type Inspection =
  /** `interpreter`: PT_INTERP. */
  | { kind: "elf"; interpreter: string | undefined }
  | { kind: "script"; interpreter: string }
  /** `reason` completes "Cannot run "x": ". */
  | { kind: "bad"; reason: string };

const EHDR_BYTES = 64, PHDR_BYTES = 56;
const ET_EXEC = 2, ET_DYN = 3;
const PT_LOAD = 1, PT_INTERP = 3;
const EM: Record<number, string> = {
  2: "SPARC",
  3: "i386",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "S390",
  40: "ARM",
  43: "SPARC V9",
  62: "x86-64",
  183: "AArch64",
  243: "RISC-V",
  258: "LoongArch",
};
const EM_X86_64 = 62;
/** USER_ADDR of the Hedron ABI, 2.3; Linux's TASK_SIZE is the same. */
const USER_END = 0x7fff_ffff_f000;
/** PATH_MAX, linux/limits.h. */
const PATH_MAX = 4096;
/** BINPRM_BUF_SIZE, linux/binfmts.h. */
const SHEBANG_BYTES = 256;

const bad = (reason: string): Inspection => ({ kind: "bad", reason });
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Exact below 2^53; beyond that it is absurd anyway, so rounding does no harm. */
const u64 = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

interface Segment {
  type: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

/** Postconditions: a result "elf" has sound headers: loaders may trust offsets and sizes of its segments. */
export function inspectExecutable(read: ReadAt, size: number): Inspection {
  const head = read(0, SHEBANG_BYTES);
  if (head[0] === 0x23 && head[1] === 0x21) return inspectScript(head);
  if (size === 0) return bad("the file is empty");
  if (!(head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46)) return bad("not an ELF file");
  if (head.length < 20) return bad("truncated ELF header");
  const view = viewOf(head);
  const machine = view.getUint16(18, true);
  if (head[4] === 1) return bad(machine === 3 ? "a 32-bit (i386) program, not x86-64" : "a 32-bit ELF file, not x86-64");
  if (head[4] !== 2) return bad(`unknown ELF class ${head[4]}`);
  if (head[5] === 2) return bad("a big-endian ELF file, not x86-64");
  if (head[5] !== 1) return bad(`unknown ELF data encoding ${head[5]}`);
  if (machine !== EM_X86_64) return bad(`made for ${EM[machine] ?? `machine ${machine}`}, not x86-64`);
  if (head.length < EHDR_BYTES) return bad("truncated ELF header");
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) return bad(`an ELF file of type ${type}, not an executable`);
  return inspectSegments(read, size, view, type);
}

function inspectScript(head: Uint8Array): Inspection {
  const end = head.indexOf(0x0a);
  const line = new TextDecoder().decode(head.subarray(2, end < 0 ? head.length : end)).trim();
  const interpreter = line.split(/[ \t]/)[0];
  return interpreter === "" ? bad("a script without an interpreter") : { kind: "script", interpreter };
}

function inspectSegments(read: ReadAt, size: number, ehdr: DataView, type: number): Inspection {
  const phoff = u64(ehdr, 32), phentsize = ehdr.getUint16(54, true), phnum = ehdr.getUint16(56, true);
  if (phnum === 0) return bad("no program headers");
  if (phentsize !== PHDR_BYTES) return bad(`absurd program header size ${phentsize}`);
  // Linux's load_elf_phdrs() refuses a table of more than 64 KiB.
  if (phnum * PHDR_BYTES > 65536) return bad(`absurd number of program headers ${phnum}`);
  if (phoff + phnum * PHDR_BYTES > size) return bad("truncated: program headers lie beyond the end of the file");
  const table = viewOf(read(phoff, phnum * PHDR_BYTES));
  if (table.byteLength < phnum * PHDR_BYTES) return bad("truncated: program headers cannot be read");
  const segments: Segment[] = [];
  for (let at = 0; at < phnum * PHDR_BYTES; at += PHDR_BYTES) {
    segments.push({
      type: table.getUint32(at, true),
      offset: u64(table, at + 8),
      vaddr: u64(table, at + 16),
      filesz: u64(table, at + 32),
      memsz: u64(table, at + 40),
      align: u64(table, at + 48),
    });
  }
  const loads = segments.filter((segment) => segment.type === PT_LOAD && segment.memsz + segment.filesz > 0);
  if (loads.length === 0) return bad("nothing to load");
  for (const [index, load] of loads.entries()) {
    const reason = absurdity(load, size, index === 0 ? 0 : loads[index - 1].vaddr);
    if (reason !== undefined) return bad(reason);
  }
  const entry = u64(ehdr, 24);
  const inside = loads.some((load) => entry >= load.vaddr && entry < load.vaddr + load.memsz);
  if (!inside && type === ET_EXEC) return bad(`absurd entry point 0x${entry.toString(16)}`);
  const interp = segments.find((segment) => segment.type === PT_INTERP);
  let interpreter: string | undefined;
  if (interp !== undefined) {
    if (interp.filesz < 2 || interp.filesz > PATH_MAX) return bad(`absurd interpreter path of ${interp.filesz} bytes`);
    if (interp.offset + interp.filesz > size) return bad("truncated: the interpreter path lies beyond the end of the file");
    interpreter = new TextDecoder().decode(read(interp.offset, interp.filesz - 1));
  }
  return { kind: "elf", interpreter };
}

function absurdity(load: Segment, size: number, previous: number): string | undefined {
  if (load.filesz > load.memsz) return `absurd segment: ${load.filesz} bytes in the file, ${load.memsz} in memory`;
  if (load.offset + load.filesz > size) return "truncated: a segment lies beyond the end of the file";
  if (load.vaddr + load.memsz > USER_END) return `absurd segment address 0x${load.vaddr.toString(16)}`;
  if (load.align > 1 && (load.align & (load.align - 1)) !== 0) return `absurd segment alignment ${load.align}`;
  if (load.vaddr % 4096 !== load.offset % 4096) return "absurd segment: address and file offset differ within a page";
  if (load.vaddr < previous) return "absurd segments: not in ascending order";
  return undefined;
}
