/** ELF64 files as far as roottask needs them: which kind of program it is, and the segments of a hyperapp. */
import type { PersonalityName } from "./layout.ts";
import { ENOEXEC } from "../host/errno.ts";

export interface Segment {
  offset: number;
  address: number;
  fileBytes: number;
  memoryBytes: number;
  /** PF_* bits: 1 X, 2 W, 4 R. */
  flags: number;
}

export interface Executable {
  kind: PersonalityName | "hyperapp";
  entry: number;
  segments: Segment[];
}

/** Reads up to `length` bytes at `offset` of the file; fewer at its end. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** System V ABI, "ELF Header" and "Program Header"; values from elf.h. */
const HEADER_BYTES = 64, PROGRAM_HEADER_BYTES = 56, SECTION_HEADER_BYTES = 64, SYMBOL_BYTES = 24;
const ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62;
const PT_LOAD = 1, PT_INTERP = 3, PT_NOTE = 4, PT_TLS = 7, PT_GNU_STACK = 0x6474e551;
const SHT_SYMTAB = 2;
const MAX_PROGRAM_HEADERS = 1024;
const MAX_NOTES = 64 << 10, MAX_SYMBOLS = 4 << 20;
const HEDRON_NOTE = "Hedron", FREEBSD_NOTE = "FreeBSD";
/** e_ident[EI_OSABI] of FreeBSD's programs. */
const EI_OSABI = 7, ELFOSABI_FREEBSD = 9;

/** The executable, or -ENOEXEC for anything that is not an x86-64 ELF program. */
export function parseElf(read: ReadAt): Executable | number {
  const header = view(read(0, HEADER_BYTES));
  if (header.byteLength < HEADER_BYTES || header.getUint32(0) !== 0x7f454c46) return -ENOEXEC;
  const isClass64 = header.getUint8(4) === 2, isLittle = header.getUint8(5) === 1;
  const type = header.getUint16(16, true), machine = header.getUint16(18, true);
  if (!isClass64 || !isLittle || machine !== EM_X86_64 || type !== ET_EXEC && type !== ET_DYN) return -ENOEXEC;
  const entry = word(header, 24), tableAt = word(header, 32), count = header.getUint16(56, true);
  if (header.getUint16(54, true) !== PROGRAM_HEADER_BYTES || count === 0 || count > MAX_PROGRAM_HEADERS) return -ENOEXEC;
  const table = view(read(tableAt, count * PROGRAM_HEADER_BYTES));
  if (table.byteLength < count * PROGRAM_HEADER_BYTES) return -ENOEXEC;

  const segments: Segment[] = [];
  let hasNote = false, isFreeBsd = header.getUint8(EI_OSABI) === ELFOSABI_FREEBSD, isLinux = type === ET_DYN;
  let hasStackSegment = false, loadsHeader = false;
  for (let at = 0; at < table.byteLength; at += PROGRAM_HEADER_BYTES) {
    const kind = table.getUint32(at, true);
    const segment = {
      flags: table.getUint32(at + 4, true),
      offset: word(table, at + 8),
      address: word(table, at + 16),
      fileBytes: word(table, at + 32),
      memoryBytes: word(table, at + 40),
    };
    if (kind === PT_LOAD && segment.memoryBytes > 0) segments.push(segment);
    if (kind === PT_LOAD && segment.offset < HEADER_BYTES) loadsHeader = true;
    if (kind === PT_NOTE) {
      const notes = view(read(segment.offset, Math.min(segment.fileBytes, MAX_NOTES)));
      hasNote ||= hasNoteOf(notes, HEDRON_NOTE);
      isFreeBsd ||= hasNoteOf(notes, FREEBSD_NOTE);
    }
    if (kind === PT_INTERP || kind === PT_TLS) isLinux = true;
    if (kind === PT_GNU_STACK) hasStackSegment = true;
  }
  // LLVM's linker writes PT_GNU_STACK into hyperapps as well; what a Linux linker script does and theirs do not is load the ELF header.
  isLinux ||= hasStackSegment && loadsHeader;
  if (isFreeBsd && !hasNote) return { kind: "freebsd", entry, segments };
  const isHyperapp = hasNote || !isLinux && entrySymbolIsStart(read, header, entry);
  return { kind: isHyperapp ? "hyperapp" : "linux", entry, segments };
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** A u64; inexact above 2^53, where no valid file offset or address lies. */
const word = (data: DataView, at: number): number => data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true);
const align4 = (bytes: number): number => bytes + 3 & ~3;

/** Is there a note of type 1 (for FreeBSD NT_FREEBSD_ABI_TAG) with this owner? */
function hasNoteOf(notes: DataView, owner: string): boolean {
  for (let at = 0; at + 12 <= notes.byteLength;) {
    const nameBytes = notes.getUint32(at, true), dataBytes = notes.getUint32(at + 4, true), type = notes.getUint32(at + 8, true);
    if (nameBytes > notes.byteLength || dataBytes > notes.byteLength) return false;
    if (type === 1 && textAt(notes, at + 12, Math.min(nameBytes, notes.byteLength - at - 12)) === owner) return true;
    at += 12 + align4(nameBytes) + align4(dataBytes);
  }
  return false;
}

function textAt(data: DataView, at: number, max: number): string {
  let text = "";
  for (let i = 0; i < max && data.getUint8(at + i) !== 0; i++) text += String.fromCharCode(data.getUint8(at + i));
  return text;
}

/** Does the symbol table call the entry point "start", as the thesis's hyperapps do? */
function entrySymbolIsStart(read: ReadAt, header: DataView, entry: number): boolean {
  const at = word(header, 40), size = header.getUint16(58, true), count = header.getUint16(60, true);
  if (at === 0 || size !== SECTION_HEADER_BYTES) return false;
  const sections = view(read(at, count * size));
  if (sections.byteLength < count * size) return false;
  for (let i = 0; i < count; i++) {
    if (sections.getUint32(i * size + 4, true) !== SHT_SYMTAB) continue;
    const strings = sections.getUint32(i * size + 40, true);
    if (strings >= count) return false;
    const section = (index: number): DataView =>
      view(read(word(sections, index * size + 24), Math.min(word(sections, index * size + 32), MAX_SYMBOLS)));
    const symbols = section(i), names = section(strings);
    for (let s = 0; s + SYMBOL_BYTES <= symbols.byteLength; s += SYMBOL_BYTES) {
      const name = symbols.getUint32(s, true);
      if (word(symbols, s + 8) === entry && name < names.byteLength && textAt(names, name, names.byteLength - name) === "start") {
        return true;
      }
    }
  }
  return false;
}
