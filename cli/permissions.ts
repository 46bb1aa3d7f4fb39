import type { Permission } from "../roottask/boot_config.ts";
import type { RunOptions } from "./options.ts";

/** What the user has granted with these options, for `hedra caps` and the personalities. */
export function permissionsOf(options: RunOptions, program: string): Permission[] {
  const { root, mounts, env, allowEnv, allowNet, memoryMiB, maxProcs, timeoutSeconds } = options;
  const right = (writable: boolean): string => writable ? "rw" : "ro, changes stay in memory";
  const list = (name: string, values: readonly (string | false)[]): Permission[] =>
    values.filter((value) => value !== false).map((value) => ({ name, value }));
  return [
    ...list("root", [root !== undefined && `${root.host} ${right(root.writable)}`]),
    ...list("file", [root === undefined && program]),
    ...list("mount", mounts.map(({ host, guest, writable }) => `${host} at ${guest} ${right(writable)}`)),
    ...list("env", [env.length > 0 && env.map((entry) => entry.slice(0, entry.indexOf("="))).join(",")]),
    ...list("allow-env", [allowEnv === "all" ? "all" : allowEnv.length > 0 && allowEnv.join(",")]),
    ...list("allow-net", allowNet),
    ...list("memory", [`${memoryMiB} MiB`]),
    ...list("max-procs", [maxProcs !== undefined && String(maxProcs)]),
    ...list("timeout", [timeoutSeconds !== undefined && `${timeoutSeconds} s`]),
  ];
}
