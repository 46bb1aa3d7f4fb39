/** Debian programs run natively and under Hedra with the host's own root; what they print and their exit codes must be equal. */
import { execute, REPOSITORY, runHedra, text } from "../process.ts";

export interface DebianCase {
  name: string;
  /** Programs that must be there. */
  needs: readonly string[];
  /** For bash. */
  script: string;
}

/** The cases of cases.txt. */
export function debianCases(): DebianCase[] {
  return Deno.readTextFileSync(`${REPOSITORY}tests/debian/cases.txt`).split(/^## /m).slice(1).map((part) => {
    const [, name, needs, script] = /^([^:]+): (.*)\n([^]*)$/.exec(part) ?? [];
    return { name, needs: needs.split(" "), script };
  });
}

const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LC_ALL: "C", LINUX_UNDER_HEDRON: "true" };

/** Programs of `case` that this machine lacks. */
export async function missing({ needs }: DebianCase): Promise<string[]> {
  const script = 'for each; do command -v "$each" > /dev/null || echo "$each"; done';
  const outcome = await execute("bash", ["-c", script, "bash", ...needs], { env: ENVIRONMENT });
  return text(outcome.stdout).split("\n").filter((line) => line !== "");
}

/** Exit code and output, of both runs. The native one works in a directory of its own, the other in the same one of its overlay. */
export async function runBoth(
  { script }: DebianCase,
): Promise<{ native: [number, string]; hedra: [number, string]; said: string }> {
  const directory = Deno.makeTempDirSync({ prefix: "hedra-debian-" });
  const inside = `cd ${directory}\n${script}`;
  try {
    const settings = Object.entries(ENVIRONMENT).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    const hedra = await runHedra(["run", "--root", "/", ...settings, "/bin/bash", "-c", inside]);
    const native = await execute("/bin/bash", ["-c", inside], { env: ENVIRONMENT });
    return {
      native: [native.code, text(native.stdout)],
      hedra: [hedra.code, text(hedra.stdout)],
      said: text(hedra.stderr),
    };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
