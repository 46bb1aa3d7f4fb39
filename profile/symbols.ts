/** Function symbols of ELF64 files, and of modules that a guest has mapped (System V ABI, "Symbol Table"; gABI, "Dynamic Section"). */

export interface Symbol {
  name: string;
  start: number;
  /** First address after it; where the file gives no size, the next symbol's start. */
  end: number;
}
/** Reads guest memory or a file: the bytes at an address or offset, or undefined when some of them are not there. */
export type Read = (at: number, length: number) => DataView | undefined;

const EHDR = 64, PHDR = 56, SHDR = 64, SYM = 24;
const SHT_SYMTAB = 2, SHT_DYNSYM = 11, PT_LOAD = 1, PT_DYNAMIC = 2, ET_DYN = 3;
const STT_NOTYPE = 0, STT_FUNC = 2, STT_GNU_IFUNC = 10;
const DT_STRTAB = 5, DT_SYMTAB = 6, DT_STRSZ = 10, DT_SONAME = 14;

const decoder = new TextDecoder();
const word = (v: DataView, at: number): number => v.getUint32(at, true) + v.getUint32(at + 4, true) * 0x1_0000_0000;

function text(v: DataView, at: number): string {
  let end = at;
  while (end < v.byteLength && v.getUint8(end) !== 0) end++;
  return decoder.decode(new Uint8Array(v.buffer, v.byteOffset + at, end - at));
}

function functions(table: DataView, strings: DataView, into: Map<number, Symbol>): void {
  for (let at = 0; at + SYM <= table.byteLength; at += SYM) {
    const info = table.getUint8(at + 4), type = info & 15, section = table.getUint16(at + 6, true), start = word(table, at + 8);
    if (section === 0 || section >= 0xff00 || start === 0) continue;
    if (type !== STT_FUNC && type !== STT_GNU_IFUNC && !(type === STT_NOTYPE && info >> 4 === 1)) continue;
    const old = into.get(start), size = word(table, at + 16);
    if (old && old.end - old.start >= size) continue;
    into.set(start, { name: text(strings, table.getUint32(at, true)), start, end: start + size });
  }
}
function sorted(found: Map<number, Symbol>): Symbol[] {
  const list = [...found.values()].filter(({ name }) => name !== "").sort((a, b) => a.start - b.start);
  list.forEach((s, n) => {
    if (s.end === s.start) s.end = list[n + 1]?.start ?? s.start + 1;
  });
  return list;
}

/** Functions of a whole file, by the addresses of the file. Empty for anything that is no ELF64 file. */
export function fileSymbols(bytes: Uint8Array): Symbol[] {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), found = new Map<number, Symbol>();
  if (bytes.length < EHDR || v.getUint32(0) !== 0x7f45_4c46 || v.getUint8(4) !== 2) return [];
  const table = word(v, 40), count = v.getUint16(60, true);
  const part = (at: number, length: number) =>
    at + length <= bytes.length ? new DataView(v.buffer, v.byteOffset + at, length) : undefined;
  for (let n = 0; n < count; n++) {
    const header = part(table + n * SHDR, SHDR), type = header?.getUint32(4, true);
    if (!header || (type !== SHT_SYMTAB && type !== SHT_DYNSYM)) continue;
    const link = part(table + header.getUint32(40, true) * SHDR, SHDR);
    const symbols = part(word(header, 24), word(header, 32)), strings = link && part(word(link, 24), word(link, 32));
    if (symbols && strings) functions(symbols, strings, found);
  }
  return sorted(found);
}

/** What is mapped from one ELF file. */
export interface Module {
  /** Mapped range. */
  start: number;
  end: number;
  /** Added to the file's addresses. */
  base: number;
  /** DT_SONAME; "" when it has none. */
  name: string;
  symbols: Symbol[];
  /** ELF and program headers: tell which file it is. */
  headers: Uint8Array;
}

/** The module whose ELF header is at `at`, with its dynamic symbols; undefined when there is none. */
export function mappedModule(read: Read, at: number): Module | undefined {
  const e = read(at, EHDR);
  if (!e || e.getUint32(0) !== 0x7f45_4c46 || e.getUint8(4) !== 2) return undefined;
  const count = e.getUint16(56, true), length = word(e, 32) + count * PHDR, all = length < 4096 ? read(at, length) : undefined;
  if (!all) return undefined;
  let low = Infinity, high = 0, dynamic = -1;
  for (let n = 0; n < count; n++) {
    const p = word(e, 32) + n * PHDR, type = all.getUint32(p, true), va = word(all, p + 16);
    if (type === PT_LOAD) {
      low = Math.min(low, va);
      high = Math.max(high, va + word(all, p + 40));
    } else if (type === PT_DYNAMIC) dynamic = va;
  }
  if (high === 0) return undefined;
  const base = e.getUint16(16, true) === ET_DYN ? at - (low - low % 4096) : 0;
  const { name, symbols } = dynamic < 0 ? { name: "", symbols: [] } : dynamicSymbols(read, base, base + dynamic);
  const headers = new Uint8Array(all.buffer, all.byteOffset, length).slice();
  return { start: base + low, end: base + high, base, name, symbols, headers };
}

function dynamicSymbols(read: Read, base: number, at: number): Pick<Module, "name" | "symbols"> {
  const tags = new Map<number, number>();
  for (let entry = read(at, 16); entry && word(entry, 0) !== 0; entry = read(at += 16, 16)) {
    tags.set(word(entry, 0), word(entry, 8));
  }
  // The dynamic linker has relocated these, or not.
  const address = (tag: number): number => {
    const value = tags.get(tag) ?? 0;
    return value < base ? value + base : value;
  };
  const symtab = address(DT_SYMTAB), strtab = address(DT_STRTAB), found = new Map<number, Symbol>();
  const strings = read(strtab, tags.get(DT_STRSZ) ?? 0);
  if (!strings) return { name: "", symbols: [] };
  // The number of symbols is only in the hash tables; linkers put the strings behind the symbols.
  const table = strtab > symtab ? read(symtab, Math.floor((strtab - symtab) / SYM) * SYM) : undefined;
  if (table) functions(table, strings, found);
  const soname = tags.get(DT_SONAME);
  return { name: soname === undefined ? "" : text(strings, soname), symbols: sorted(found) };
}

/** The symbol that contains `address`; undefined when none does. */
export function symbolAt(symbols: readonly Symbol[], address: number): Symbol | undefined {
  let low = 0, high = symbols.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (symbols[mid].start <= address) low = mid + 1;
    else high = mid;
  }
  const s = symbols[low - 1];
  return s && address < s.end ? s : undefined;
}
