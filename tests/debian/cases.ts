/** Debian programs run natively and under Hedra in the same root; what they print and their exit codes must be equal. */
import assert from "node:assert/strict";
import { execute, type Outcome, REPOSITORY, runHedra, text } from "../process.ts";
import type { Root } from "./roots.ts";

export interface DebianCase {
  name: string;
  /** Programs that must be in the root, or on the host when they are called "host:NAME". */
  needs: readonly string[];
  /** For bash of the host in the case's directory, before both runs; $SOURCES is this directory. */
  prepare: string;
  /** For bash. */
  script: string;
}

/** The cases of cases.txt. */
export function debianCases(): DebianCase[] {
  return Deno.readTextFileSync(`${REPOSITORY}tests/debian/cases.txt`).split(/^## /m).slice(1).map((part) => {
    const [, name, needs, prepare = "", script] = /^([^:]+): (.*)\n(?:% (.*)\n)?([^]*)$/.exec(part) ?? [];
    return { name, needs: needs.split(" "), prepare, script };
  });
}

/** Of both runs. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TERM: "screen",
  LINUX_UNDER_HEDRON: "true",
};
export const HOST_ENVIRONMENT = Deno.env.toObject();

const PRESENT = 'for each; do command -v "$each" > /dev/null || echo "$each"; done';
const lines = ({ stdout }: Outcome): string[] => text(stdout).split("\n").filter((line) => line !== "");

/** Programs among `needs` that the root, or the host, lacks. */
export async function missing(needs: readonly string[], root: Root): Promise<string[]> {
  const ofHost = needs.filter((name) => name.startsWith("host:")).map((name) => name.slice(5));
  const ofRoot = needs.filter((name) => !name.startsWith("host:"));
  const [command, ...args] = root.native("/tmp", ["/bin/bash", "-c", PRESENT, "bash", ...ofRoot]);
  return [
    ...lines(await execute(command, args, { env: ENVIRONMENT })),
    ...lines(await execute("bash", ["-c", PRESENT, "bash", ...ofHost], { env: HOST_ENVIRONMENT })),
  ];
}

/** A path for the directory of a case: both runs have the same, one after the other, because programs print where they are. */
export const freshPath = (): string => `${Deno.env.get("TMPDIR") ?? "/tmp"}/hedra-debian-${crypto.randomUUID()}`;

/** Makes the directory for one run of a case, and removes it afterwards. */
export async function inDirectory<T>(directory: string, prepare: string, body: () => Promise<T>): Promise<T> {
  Deno.mkdirSync(directory, { mode: 0o700 });
  try {
    const env = { ...HOST_ENVIRONMENT, SOURCES: `${REPOSITORY}tests/debian` };
    const prepared = await execute("bash", ["-c", prepare], { cwd: directory, env });
    assert.equal(prepared.code, 0, text(prepared.stderr));
    return await body();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Arguments of Hedra for a guest with the environment of these tests. */
export const SETTINGS: readonly string[] = Object.entries(ENVIRONMENT).flatMap(([key, value]) => ["--env", `${key}=${value}`]);

/** A port that nothing of the host listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Exit codes and output, of both runs; `said` is Hedra's standard error. */
export async function runBoth(
  { script, prepare }: DebianCase,
  root: Root,
): Promise<{ native: [number, string]; hedra: [number, string]; said: string }> {
  const port = freePort(), directory = freshPath();
  const shell = ["/bin/bash", "-c", `cd ${root.inside(directory)}; export HOME=$PWD; PORT=${port}\n${script}`];
  const result = ({ code, stdout }: Outcome): [number, string] => [code, text(stdout)];
  const hedra = await inDirectory(directory, prepare, () => runHedra(["run", ...root.options(directory), ...SETTINGS, ...shell]));
  const [command, ...args] = root.native(directory, shell);
  const native = await inDirectory(directory, prepare, () => execute(command, args, { env: ENVIRONMENT }));
  return { native: result(native), hedra: result(hedra), said: text(hedra.stderr) };
}
