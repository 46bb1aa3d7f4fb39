/**
 * Makes the modules that a machine would otherwise generate while it starts: `deno task prebuild`.
 *
 *     deno task prebuild                      from cpu/prebuilt/forms.txt
 *     deno task prebuild --scan ELF...        collects the most frequent instruction forms of static programs into forms.txt first
 *     deno task prebuild --add FILE           adds the forms of the instructions in a text file (one per line, as in forms.txt) first
 *
 * forms.txt has one example instruction (hexadecimal bytes) per form. A test fails when the modules are not what the sources give.
 */
import { decode } from "../cpu/decode.ts";
import type { Insn } from "../cpu/insn.ts";
import { formOf, handlerModule } from "../cpu/interp/handlers.ts";
import { runtimeModule } from "../cpu/runtime.ts";

/** Forms kept by --scan, most frequent first. */
const KEEP = 900;
const here = (name: string): URL => new URL(`../cpu/prebuilt/${name}`, import.meta.url);

/** The lines of a text with the instructions that they are; what is none is left out. */
function instructions(text: string): [string, Insn][] {
  return text.split("\n").filter((l) => l !== "").flatMap((line): [string, Insn][] => {
    const bytes = Uint8Array.from(line.match(/../g)!, (x) => parseInt(x, 16));
    const i = decode(bytes, 0, bytes.length, 0x1000);
    return "invalid" in i ? [] : [[line, i]];
  });
}

export function buildModules(formsText: string): { runtime: Uint8Array<ArrayBuffer>; handlers: Uint8Array<ArrayBuffer> } {
  return { runtime: runtimeModule(undefined), handlers: handlerModule(instructions(formsText).map(([, i]) => i)) };
}

/** Linear sweep over the executable segments. */
function scan(files: string[]): string {
  const seen = new Map<string, { hex: string; count: number }>();
  for (const file of files) {
    const elf = Deno.readFileSync(file), view = new DataView(elf.buffer);
    const at = Number(view.getBigUint64(32, true));
    for (let n = 0; n < view.getUint16(56, true); n++) {
      const h = at + 56 * n;
      if (view.getUint32(h, true) !== 1 || (view.getUint32(h + 4, true) & 1) === 0) continue;
      const start = Number(view.getBigUint64(h + 8, true)), end = start + Number(view.getBigUint64(h + 32, true));
      for (let p = start; p < end;) {
        const i = decode(elf, p, end - p, 0x1000);
        if ("invalid" in i) {
          p++;
          continue;
        }
        const key = formOf(i), known = seen.get(key);
        if (known) known.count++;
        else {seen.set(key, {
            hex: [...elf.subarray(p, p + i.length)].map((b) => b.toString(16).padStart(2, "0")).join(""),
            count: 1,
          });}
        p += i.length;
      }
    }
  }
  const best = [...seen.values()].sort((a, b) => b.count - a.count).slice(0, KEEP);
  return best.map((f) => f.hex + "\n").join("");
}

/** The examples that forms.txt has not, for forms that none of its lines has. */
function missing(formsText: string, more: string): string {
  const known = new Set<string>(), added: string[] = [];
  for (const [text, isNew] of [[formsText, false], [more, true]] as const) {
    for (const [line, i] of instructions(text)) {
      if (isNew && !known.has(formOf(i))) added.push(line + "\n");
      known.add(formOf(i));
    }
  }
  return added.join("");
}

if (import.meta.main) {
  if (Deno.args[0] === "--add") {
    const kept = Deno.readTextFileSync(here("forms.txt"));
    Deno.writeTextFileSync(here("forms.txt"), kept + missing(kept, Deno.readTextFileSync(Deno.args[1])));
  }
  if (Deno.args[0] === "--scan") Deno.writeTextFileSync(here("forms.txt"), scan(Deno.args.slice(1)));
  const { runtime, handlers } = buildModules(Deno.readTextFileSync(here("forms.txt")));
  Deno.writeFileSync(here("runtime.wasm"), runtime);
  Deno.writeFileSync(here("handlers.wasm"), handlers);
  console.log(`runtime.wasm ${runtime.length} bytes, handlers.wasm ${handlers.length} bytes`);
}
