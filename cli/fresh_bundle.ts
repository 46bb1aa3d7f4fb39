/** The bundle that `deno task bundle` makes, and whether it still is what the sources would give. */

/** `sources.json` of the bundle: the files it was made from, as they were then. */
export interface BundleSources {
  version: typeof SOURCES_VERSION;
  /** [path below the repository, bytes, time of the last change in ms since 1970]. */
  files: [string, number, number][];
}
export const SOURCES_VERSION = 1;
/** Below the repository. */
export const BUNDLE = "dist/js/main.js", SOURCES = "dist/sources.json";

/** A file as `BundleSources` has it. Throws when it is missing. */
export function fileState(root: string, path: string): [path: string, bytes: number, changedMs: number] {
  const { size, mtime } = Deno.statSync(`${root}/${path}`);
  return [path, size, mtime?.getTime() ?? 0];
}

/**
 * Is there a bundle, and is every file that it was made from unchanged (same size and time)? Asking costs a few milliseconds, loading the
 * sources costs tens.
 */
export function isBundleFresh(root: string): boolean {
  try {
    const { version, files }: BundleSources = JSON.parse(Deno.readTextFileSync(`${root}/${SOURCES}`));
    if (version !== SOURCES_VERSION) return false;
    for (const [path, bytes, changedMs] of files) {
      const [, bytesNow, changedNow] = fileState(root, path);
      if (bytesNow !== bytes || changedNow !== changedMs) return false;
    }
    return true;
  } catch {
    return false;
  }
}
