/** `--code-cache`: what Hedra keeps of a program's translated code for its next run. */
import { type CpuOptions, HedraCpu } from "../cpu/cpu.ts";
import { CodeCache } from "../cpu/translate/code_cache.ts";
import { cacheDirectory } from "../host/cache_directory.ts";
import { openCodeCache, translatorVersion } from "../host/code_cache.ts";
import type { MakeCpu } from "../machine.ts";
import type { RunOptions } from "./options.ts";

export interface CachedRun {
  /** See BootConfig. */
  readonly layoutSeed: Uint8Array<ArrayBuffer>;
  readonly cpu: MakeCpu;
  /** Once the machine has ended. */
  save(): void;
}

/** Undefined when nothing shall or can be kept. */
export function cachedRun(
  { codeCache, root, memoryMiB, cpuLevel, engine, deterministic, cwd }: RunOptions,
  program: string,
): CachedRun | undefined {
  // A run must not depend on others when it is to be the same each time.
  if (engine !== "hedra" || deterministic || codeCache === "off") return undefined;
  const base = cacheDirectory(), directory = codeCache ?? (base && `${base}/code`);
  if (directory === undefined) return undefined;
  const kept = openCodeCache(directory, [root?.host ?? `/ ${Deno.cwd()}`, cwd, program, String(memoryMiB), cpuLevel]);
  const cache = new CodeCache(kept.code, [translatorVersion(), memoryMiB, cpuLevel].join(" "));
  let cpu: HedraCpu | undefined;
  return {
    layoutSeed: kept.layout,
    cpu: (options: CpuOptions) => cpu = new HedraCpu({ ...options, codeCache: cache }),
    save() {
      const code = cpu?.cachedCode();
      if (code) kept.save(code);
    },
  };
}
