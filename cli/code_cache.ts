/** `--code-cache`: what Hedra keeps of a program's translated code for its next run. */
import { type CpuOptions, HedraCpu } from "../cpu/cpu.ts";
import { CodeCache } from "../cpu/translate/code_cache.ts";
import { EXIT, UserError } from "./errors.ts";
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

/** Does a path, which may not exist yet, lie in a directory? */
function lies(path: string, directory: string): boolean {
  const inside = real(path), outside = real(directory);
  return inside === outside || inside.startsWith(outside.endsWith("/") ? outside : `${outside}/`);
}
/** Without symbolic links, as far as it exists. */
function real(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const at = path.replace(/\/+$/, "").lastIndexOf("/");
    return at < 0 ? `${Deno.realPathSync(".")}/${path}` : `${at === 0 ? "" : real(path.slice(0, at))}${path.slice(at)}`;
  }
}

/** Undefined when nothing shall or can be kept. */
export function cachedRun(
  { codeCache, root, mounts, commit, memoryMiB, cpuLevel, engine, deterministic, cwd }: RunOptions,
  program: string,
): CachedRun | undefined {
  // A run must not depend on others when it is to be the same each time.
  if (engine !== "hedra" || deterministic || codeCache === "off") return undefined;
  const base = cacheDirectory(), directory = codeCache ?? (base && `${base}/code`);
  if (directory === undefined) return undefined;
  const writable = [root, ...mounts].flatMap((grant) => grant?.writable ? [grant.host] : []);
  // Who can write there could have the next run execute what it likes, beside the guest's domain.
  if ([...writable, ...commit === undefined ? [] : [commit]].some((host) => lies(directory, host))) {
    if (codeCache === undefined) return undefined;
    throw new UserError(`Cannot use "${codeCache}" as --code-cache: the guest may write there`, EXIT.USAGE);
  }
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
