/**
 * The region translator on real code, without running it: `deno run -A bench/translate_bench.ts [ELF file] [rounds]`.
 * Prints the time per instruction of the best round, and a digest of all modules, by which a change can be seen to keep them as they are.
 */
import { createHash } from "node:crypto";
import { Access } from "../cpu/access.ts";
import type { Ram } from "../cpu/api.ts";
import { CodeMap } from "../cpu/code_map.ts";
import { decoderOf } from "../cpu/decode.ts";
import { Images } from "../cpu/images.ts";
import { Blocks } from "../cpu/interp/blocks.ts";
import { Handlers } from "../cpu/interp/handlers.ts";
import { REC_HEAT } from "../cpu/interp/record.ts";
import { JumpCache } from "../cpu/jump_cache.ts";
import { KERNEL_MEMORY, USER_RAM } from "../cpu/layout.ts";
import { Space } from "../cpu/mmu.ts";
import { quickShape } from "../cpu/quick_tlb.ts";
import { GENERATED_IMPORTS } from "../cpu/runtime.ts";
import { Counters } from "../cpu/stats.ts";
import { buildGraph } from "../cpu/translate/cfg.ts";
import { emitRegion, type RegionEnvironment } from "../cpu/translate/emit.ts";
import { ModuleBuilder } from "../cpu/wasm/encoder.ts";

const PAGE = 4096, WASM_PAGE = 65536, HEAT = 500;
const MAX_INSNS = 600, MOST = 100_000;
const path = Deno.args[0] ?? "/bin/bash", rounds = Number(Deno.args[1] ?? 10);

/** The executable PT_LOAD segment. */
function codeSegment(image: Uint8Array): Uint8Array {
  const header = new DataView(image.buffer, image.byteOffset);
  const number = (at: number) => Number(header.getBigUint64(at, true));
  for (let n = 0, at = number(32); n < header.getUint16(56, true); n++, at += 56) {
    if (header.getUint32(at, true) === 1 && header.getUint32(at + 4, true) & 1) {
      return image.subarray(number(at + 8), number(at + 8) + number(at + 32));
    }
  }
  throw new Error(`${path} has no code`);
}

const text = codeSegment(Deno.readFileSync(path));
const VA = 0x5555_5555_0000, DATA = 0x7fff_0000_0000, DATA_BYTES = 0x10_0000;
const textBytes = Math.ceil(text.length / PAGE) * PAGE, dataAt = KERNEL_MEMORY + textBytes;
const pages = Math.ceil((dataAt + DATA_BYTES) / WASM_PAGE);
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages }), buffer = memory.buffer as ArrayBuffer; // not shared
const ram: Ram = {
  memory,
  size: buffer.byteLength,
  u8: new Uint8Array(buffer),
  u16: new Uint16Array(buffer),
  u32: new Uint32Array(buffer),
  i32: new Int32Array(buffer),
  view: new DataView(buffer),
};
ram.u8.set(text, KERNEL_MEMORY);
const space = new Space(1, () => {}, () => {});
space.map(VA, KERNEL_MEMORY, textBytes, 5);
space.map(DATA, dataAt, DATA_BYTES, 3);

const code = new CodeMap(() => {}), access = new Access(ram, code), counters = new Counters(() => 0);
access.select(space);
const table = new WebAssembly.Table({ element: "anyfunc", initial: 4096 });
const imports: WebAssembly.ModuleImports = { memory, table };
for (const { name } of GENERATED_IMPORTS) imports[name] = () => 0;
let handlerSlots = 1;
const handlers = new Handlers(pages, table, imports, () => handlerSlots++, counters);
const images = new Images({ detached() {}, discarded() {} }), jumps = new JumpCache(ram, access);
const blocks = new Blocks(ram, access, code, images, jumps, handlers, HEAT, counters, decoderOf("v3"));
const find = (pc: number) => blocks.find(space, pc);

/** Decodes the code from its start, as if all of it had run hot; returns where functions begin. */
function decodeAll(): number[] {
  const entries = new Set<number>(), end = VA + text.length;
  for (let pc = VA; pc < end && counters.decoded < MOST && !blocks.full;) {
    const block = find(pc) ?? blocks.decode(pc);
    ram.i32[(block.record + REC_HEAT) >> 2] = 0;
    const last = block.insns.at(-1), to = last?.ops[0];
    if (to?.kind === "rel" && to.target >= VA && to.target < end) {
      if (last?.name === "call") entries.add(to.target);
      else if (!find(to.target) && !blocks.full) {
        ram.i32[(blocks.decode(to.target).record + REC_HEAT) >> 2] = 0;
      }
    }
    pc = Math.max(block.end, pc + 1);
  }
  return [...entries].filter((pc) => find(pc));
}

/** Every access but some has been to one place. */
function environment(slots: Map<number, number>): RegionEnvironment {
  const baked = { start: DATA, end: DATA + DATA_BYTES, pa: dataAt, delta: dataAt - DATA, writable: true, cell: 0, shared: false };
  let ids = 0;
  return {
    shared: false,
    bake: () => undefined,
    bakeProfile: (record) => record % 5 === 0 ? undefined : baked,
    accessed: () => true,
    roams: (pc) => pc % 16 === 0,
    relies: () => {},
    slot(pc) {
      let slot = slots.get(pc);
      if (slot === undefined) slots.set(pc, slot = slots.size + 1000);
      return slot;
    },
    clobberedAt: () => 0xffff,
    isCold: () => false,
    opens: () => {},
    checksMode: () => {},
    insnId: () => ids++,
    quick: quickShape(USER_RAM + DATA_BYTES),
  };
}

/** Milliseconds of the quickest translation of each region: what a busy host changes least. Collections of garbage hardly count. */
const quickest = new Map<number, number>();

function translate(entries: readonly number[], use: (bytes: Uint8Array<ArrayBuffer>) => void): number {
  const slots = new Map<number, number>();
  let insns = 0;
  for (const pc of entries) {
    const began = performance.now();
    const graph = buildGraph(ram, blocks, find, pc, MAX_INSNS);
    if (!graph) continue;
    const m = new ModuleBuilder(pages, GENERATED_IMPORTS, true);
    emitRegion(m, "r", graph, environment(slots));
    use(m.finish());
    quickest.set(pc, Math.min(quickest.get(pc) ?? Infinity, performance.now() - began));
    insns += graph.insns;
  }
  return insns;
}

const digest = createHash("sha256");
let modules = 0, bytes = 0, best = Infinity, bestDecoding = Infinity, insns = 0;
translate(decodeAll(), (b) => {
  new WebAssembly.Module(b);
  digest.update(b);
  modules++;
  bytes += b.length;
});
for (let n = 0; n < rounds; n++) {
  blocks.clear();
  counters.decoded = 0;
  const began = performance.now(), entries = decodeAll(), decoded = performance.now();
  bestDecoding = Math.min(bestDecoding, (decoded - began) * 1000 / counters.decoded);
  insns = translate(entries, () => {});
  best = Math.min(best, (performance.now() - decoded) * 1000 / insns);
}
console.log(`${modules} regions, ${insns} instructions, ${bytes} bytes of modules, digest ${digest.digest("hex").slice(0, 16)}`);
let sum = 0;
for (const ms of quickest.values()) sum += ms;
console.log(`quickest translation of each region: ${(sum * 1000 / insns).toFixed(3)} us per instruction`);
console.log(
  `best of ${rounds}: ${best.toFixed(3)} us per instruction translated, ${bestDecoding.toFixed(3)} us per instruction decoded`,
);
