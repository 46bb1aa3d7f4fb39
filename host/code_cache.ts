/** The files of the code cache: one per program, with the layout of its address space and its translated code (cpu/translate/code_cache.ts). */
import { hashOf } from "../cpu/translate/saved_region.ts";

/** Random bytes that lay out a program's address space: the same ones as long as its code is kept. */
const LAYOUT_BYTES = 16;
/** Programs whose code is kept. */
const MAX_FILES = 256;
/** Names of the cache's own files, those that are being written among them. The directory may hold others. */
const OWN = /^[0-9a-f]{16}\.(code|[0-9a-f]+)$/;

/** What was kept of a program's earlier runs. */
export interface KeptCode {
  readonly layout: Uint8Array<ArrayBuffer>;
  /** For `CodeCache`. */
  readonly code: Uint8Array<ArrayBuffer> | undefined;
  /** Keeps the code of this run. A directory that cannot be written to is no error: nothing is kept then. */
  save(code: Uint8Array<ArrayBuffer>): void;
}

/** @param identity everything that makes one program's code differ from another's, or one machine's memory from another's */
export function openCodeCache(directory: string, identity: readonly string[]): KeptCode {
  const name = hashOf(identity.map((part) => new TextEncoder().encode(part))).map((n) => n.toString(16).padStart(8, "0")).join(
    "",
  );
  const path = `${directory}/${name}.code`, kept = read(path);
  const layout = kept?.slice(0, LAYOUT_BYTES) ?? crypto.getRandomValues(new Uint8Array(LAYOUT_BYTES));
  return {
    layout,
    code: kept?.subarray(LAYOUT_BYTES),
    save(code) {
      try {
        Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
        // Others may read or write it at the same time.
        const temporary = Deno.makeTempFileSync({ dir: directory, prefix: `${name}.` });
        try {
          write(temporary, [layout, code]);
          Deno.renameSync(temporary, path);
        } catch (error) {
          Deno.removeSync(temporary);
          throw error;
        }
        prune(directory);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    },
  };
}
function read(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = Deno.readFileSync(path);
    touch(path);
    return bytes.length > LAYOUT_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}
/** Tells `prune` that the file is in use; one that may only be read serves as well. */
function touch(path: string): void {
  try {
    Deno.utimeSync(path, new Date(), new Date());
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
function write(path: string, parts: Uint8Array<ArrayBuffer>[]): void {
  using file = Deno.openSync(path, { write: true });
  for (const part of parts) for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at));
}

/** Removes the cache's files that have not been used for longest when there are too many. */
function prune(directory: string): void {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => OWN.test(name));
  if (names.length <= MAX_FILES) return;
  const age = (name: string): number => Deno.statSync(`${directory}/${name}`).mtime?.getTime() ?? 0;
  const oldest = names.map((name) => ({ name, age: age(name) })).sort((a, b) => a.age - b.age).slice(0, names.length - MAX_FILES);
  for (const { name } of oldest) Deno.removeSync(`${directory}/${name}`);
}

/** Names the translator by size and time of its source files, or of the bundle, and the engine that runs its code. */
export function translatorVersion(): string {
  const here = import.meta.dirname ?? ".", parts = [Deno.version.v8, Deno.build.arch, here];
  const note = (path: string): void => {
    const { size, mtime } = Deno.statSync(path);
    parts.push(`${path} ${size} ${mtime?.getTime()}`);
  };
  const visit = (directory: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(directory)) {
      const path = `${directory}/${name}`;
      if (isDirectory) visit(path);
      else if (!name.endsWith("_test.ts")) note(path);
    }
  };
  // The files of a bundle are made together, and asking for all would take 2 ms.
  if (here.endsWith("/host")) visit(`${here}/../cpu`);
  else note(`${here}/main.js`);
  return hashOf([new TextEncoder().encode(parts.sort().join("\n"))]).join(".");
}
