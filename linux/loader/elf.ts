import { E } from "../abi/errno.ts";
import { PAGE, pageDown, pageUp, PROT_EXEC, PROT_READ, PROT_WRITE, TASK_SIZE } from "../abi/mman.ts";
import { getU64 } from "../memory/user.ts";

/** One PT_LOAD, checked: all sums lie below TASK_SIZE. Bytes; addresses without the load bias. */
export interface Segment {
  vaddr: number;
  offset: number;
  fileSize: number;
  memSize: number;
  prot: number;
}

export interface ElfFile {
  /** ET_DYN: may be loaded anywhere. */
  relocatable: boolean;
  entry: number;
  segments: Segment[];
  /** Range of all segments, page-aligned. */
  low: number;
  high: number;
  /** Largest p_align of the segments, at least a page. */
  align: number;
  /** Address of the program headers in memory (without bias), for AT_PHDR. */
  phdr: number;
  phentsize: number;
  phnum: number;
  /** Position of PT_INTERP's string in the file. */
  interp: { offset: number; size: number } | undefined;
  execStack: boolean;
  /** Segments that cannot be mapped. Linux notices after the old image is gone: execve does not return, the process dies. */
  broken: boolean;
}

/** System V ABI, figure "ELF header", and its AMD64 supplement. */
const ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62;
export const EHDR_BYTES = 64, PHDR_BYTES = 56;
const PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474_e551;
const PF_X = 1, PF_W = 2, PF_R = 4;
/** Largest program header table that fs/binfmt_elf.c reads. */
const PHDRS_MAX = 65536;
const PATH_MAX = 4096;

/** Where the program headers are: what the loader must read next. -ENOEXEC when this is no x86-64 executable. */
export function headerTable(data: DataView, at: number, bytes: number): { offset: number; bytes: number } | number {
  if (bytes < EHDR_BYTES || data.getUint32(at, false) !== 0x7f45_4c46) return -E.ENOEXEC;
  // Class and byte order are not looked at: the machine decides (elf_check_arch).
  const type = data.getUint16(at + 16, true);
  if (type !== ET_EXEC && type !== ET_DYN || data.getUint16(at + 18, true) !== EM_X86_64) return -E.ENOEXEC;
  const entryBytes = data.getUint16(at + 54, true);
  const count = data.getUint16(at + 56, true);
  if (entryBytes !== PHDR_BYTES || count === 0 || count * PHDR_BYTES > PHDRS_MAX) return -E.ENOEXEC;
  const offset = getU64(data, at + 32);
  // The position must be one that a read can have (loff_t).
  if (!Number.isSafeInteger(offset)) return -E.ENOEXEC;
  return { offset, bytes: count * PHDR_BYTES };
}

/**
 * Decodes an ELF header at `at` and its program headers at `phAt`, as fs/binfmt_elf.c does.
 * Preconditions: `headerTable` accepted the header.
 */
export function decodeElf(data: DataView, at: number, phAt: number): ElfFile | number {
  const phnum = data.getUint16(at + 56, true);
  const phoff = getU64(data, at + 32);
  const file: ElfFile = {
    relocatable: data.getUint16(at + 16, true) === ET_DYN,
    entry: getU64(data, at + 24),
    segments: [],
    low: Infinity,
    high: 0,
    align: PAGE,
    phdr: 0,
    phentsize: PHDR_BYTES,
    phnum,
    interp: undefined,
    execStack: false,
    broken: false,
  };
  let headerInPhdr: number | undefined;
  for (let i = 0; i < phnum; i++) {
    const p = phAt + i * PHDR_BYTES;
    const type = data.getUint32(p, true);
    const flags = data.getUint32(p + 4, true);
    const offset = getU64(data, p + 8);
    const vaddr = getU64(data, p + 16);
    const fileSize = getU64(data, p + 32);
    const memSize = getU64(data, p + 40);
    const align = getU64(data, p + 48);
    if (type === PT_INTERP && file.interp === undefined) {
      if (fileSize > PATH_MAX || fileSize < 2) return -E.ENOEXEC;
      if (!Number.isSafeInteger(offset)) return -E.EIO;
      file.interp = { offset, size: fileSize };
    } else if (type === PT_PHDR) {
      headerInPhdr = vaddr;
    } else if (type === PT_GNU_STACK) {
      file.execStack = (flags & PF_X) !== 0;
    } else if (type === PT_LOAD) {
      if (
        vaddr >= TASK_SIZE || fileSize > memSize || memSize > TASK_SIZE || TASK_SIZE - memSize < vaddr ||
        !Number.isSafeInteger(offset) || offset % PAGE !== vaddr % PAGE
      ) {
        file.broken = true;
        continue;
      }
      if (memSize === 0) continue;
      const prot = ((flags & PF_R) !== 0 ? PROT_READ : 0) | ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
        ((flags & PF_X) !== 0 ? PROT_EXEC : 0);
      file.segments.push({ vaddr, offset, fileSize, memSize, prot });
      file.low = Math.min(file.low, pageDown(vaddr));
      file.high = Math.max(file.high, pageUp(vaddr + memSize));
      // Only powers of two count, as in maximum_alignment().
      if (align > file.align && Number.isInteger(Math.log2(align)) && align <= 1 << 30) file.align = align;
      if (offset <= phoff && phoff < offset + fileSize) file.phdr = phoff - offset + vaddr;
    }
  }
  if (headerInPhdr !== undefined) file.phdr = headerInPhdr;
  if (file.segments.length === 0) file.broken = true;
  // Linux maps ascending segments over one total range; overlapping or descending ones would clobber each other.
  for (let i = 1; i < file.segments.length; i++) {
    if (file.segments[i].vaddr < file.segments[i - 1].vaddr) file.broken = true;
  }
  return file;
}
