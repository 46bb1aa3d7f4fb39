import { pageUp } from "../abi/mman.ts";
import type { Personality } from "../personality.ts";
import type { Mm } from "./mm.ts";
import type { Vma } from "./vma.ts";

/** A file has become shorter: pages of its mappings that lie beyond `size` are there no more, private ones included (truncate(2)). */
export function forgetBeyond(os: Personality, size: number, isOfFile: (vma: Vma) => boolean): void {
  const done = new Set<Mm>();
  for (const { mm } of os.processes.values()) {
    if (done.has(mm)) continue;
    done.add(mm);
    for (const vma of mm.vmas.items) {
      if (!isOfFile(vma)) continue;
      const from = Math.max(vma.start, vma.start + pageUp(size) - vma.offset);
      if (from < vma.end) mm.unback(from, vma.end);
    }
  }
}
