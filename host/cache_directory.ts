/**
 * Where Hedra may keep what makes later runs faster: $HEDRA_CACHE, or "hedra" in the user's directory for such things. Undefined when there
 * is none, or HEDRA_CACHE is empty.
 */
export function cacheDirectory(): string | undefined {
  const env = (name: string): string | undefined => Deno.env.get(name) || undefined;
  const own = Deno.env.get("HEDRA_CACHE");
  if (own !== undefined) return own || undefined;
  const { os } = Deno.build, home = env("HOME");
  const base = os === "windows"
    ? env("LOCALAPPDATA")
    : os === "darwin"
    ? home && `${home}/Library/Caches`
    : env("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return base && `${base}/hedra`;
}
