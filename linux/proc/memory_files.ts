import { PAGE } from "../abi/mman.ts";
import type { Mm } from "../memory/mm.ts";
import type { Vma } from "../memory/vma.ts";
import type { Process } from "../process/process.ts";

export const kib = (bytes: number): number => Math.floor(bytes / 1024);

export function statm({ mm }: Process): string {
  const pages = (bytes: number): number => Math.floor(bytes / PAGE);
  const text = sum(mm, (vma) => (vma.prot & 4) !== 0);
  const data = sum(mm, (vma) => (vma.prot & 2) !== 0);
  return `${pages(mm.totalBytes)} ${pages(mm.backedBytes)} 0 ${pages(text)} 0 ${pages(data)} 0\n`;
}

export function sum(mm: Mm, select: (vma: Vma) => boolean): number {
  return mm.vmas.items.reduce((total, vma) => select(vma) ? total + vma.end - vma.start : total, 0);
}

/** fs/proc/task_mmu.c, show_map_vma(). */
export function maps({ mm }: Process): string {
  return mm.vmas.items.map((vma) => {
    const bit = (mask: number, letter: string): string => (vma.prot & mask) !== 0 ? letter : "-";
    const rights = bit(1, "r") + bit(2, "w") + bit(4, "x") + (vma.shared === undefined || vma.name === "[vdso]" ? "p" : "s");
    const source = vma.file ?? vma.shared?.file;
    const dev = source?.dev ?? 0;
    const where = `${(dev >>> 8).toString(16).padStart(2, "0")}:${(dev & 0xff).toString(16).padStart(2, "0")}`;
    const hex = (n: number): string => n.toString(16).padStart(8, "0");
    const head = `${hex(vma.start)}-${hex(vma.end)} ${rights} ${hex(source === undefined ? 0 : vma.offset)} ${where} ${
      source?.ino ?? 0
    } `;
    const name = source?.path ?? vma.name;
    return `${name === "" ? head : head.padEnd(73) + name}\n`;
  }).join("");
}

/** Bytes of an area that are in RAM. */
function resident({ mm }: Process, { start, end }: Vma): number {
  const { items } = mm.backing;
  let bytes = 0;
  for (let i = mm.backing.lowerBound(start); i < items.length && items[i].start < end; i++) {
    bytes += Math.min(end, items[i].end) - Math.max(start, items[i].start);
  }
  return bytes;
}

/** A size as /proc/PID/smaps and status show it. */
export const kiB = (bytes: number): string => `${String(kib(bytes)).padStart(8)} kB`;

/** Sizes that follow from the number of resident bytes, as far as they are told apart here. */
function residentRows(bytes: number, dirty: number): string {
  const rows: readonly (readonly [string, number])[] = [
    ["Rss", bytes],
    ["Pss", bytes],
    ["Shared_Clean", 0],
    ["Shared_Dirty", 0],
    ["Private_Clean", bytes - dirty],
    ["Private_Dirty", dirty],
    ["Referenced", bytes],
    ["Anonymous", dirty],
    ["Swap", 0],
    ["Locked", 0],
  ];
  return rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${kiB(value)}\n`).join("");
}

const dirtyOf = (p: Process, vma: Vma): number => (vma.prot & 2) === 0 ? 0 : resident(p, vma);

export function smapsRollup(p: Process): string {
  const { items } = p.mm.vmas;
  const total = (of: (vma: Vma) => number): number => items.reduce((sum, vma) => sum + of(vma), 0);
  const hex = (n: number): string => n.toString(16).padStart(8, "0");
  const head = `${hex(items[0]?.start ?? 0)}-${hex(items[items.length - 1]?.end ?? 0)} ---p 00000000 00:00 0 `;
  return `${head.padEnd(73)}[rollup]\n${residentRows(total((vma) => resident(p, vma)), total((vma) => dirtyOf(p, vma)))}`;
}

export function smaps(p: Process): string {
  return maps(p).split("\n").filter((line) => line !== "").map((line, i) => {
    const vma = p.mm.vmas.items[i];
    const head = `${line}\nSize:           ${
      kiB(vma.end - vma.start)
    }\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n`;
    return `${head}${residentRows(resident(p, vma), dirtyOf(p, vma))}VmFlags: rd\n`;
  }).join("");
}
