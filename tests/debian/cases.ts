/** Debian programs run natively and under Hedra with the host's own root; what they print and their exit codes must be equal. */
import { execute, REPOSITORY, runHedra, text } from "../process.ts";

export interface DebianCase {
  name: string;
  /** Programs that must be there. */
  needs: readonly string[];
  /** For bash; natively before the runs (lines "#native COMMAND"), for what takes a compiler long. */
  prepare: string;
  /** For bash. */
  script: string;
}

const NATIVE = "#native ";

/** The cases of cases.txt. */
export function debianCases(): DebianCase[] {
  return Deno.readTextFileSync(`${REPOSITORY}tests/debian/cases.txt`).split(/^## /m).slice(1).map((part) => {
    const [, name, needs, text] = /^([^:]+): (.*)\n([^]*)$/.exec(part) ?? [];
    const native = (line: string) => line.startsWith(NATIVE), lines = text.split("\n");
    const prepare = lines.filter(native).map((line) => line.slice(NATIVE.length)).join("\n");
    return { name, needs: needs.split(" "), prepare, script: lines.filter((line) => !native(line)).join("\n") };
  });
}

const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LC_ALL: "C", LINUX_UNDER_HEDRON: "true" };

/** Compilers may stand elsewhere than Debian's programs. */
const PREPARING = {
  ...ENVIRONMENT,
  HOME: Deno.env.get("HOME") ?? "/",
  PATH: `${Deno.env.get("PATH") ?? ""}:${ENVIRONMENT.PATH}`,
};

/** Programs of `case` that this machine lacks. */
export async function missing({ needs }: DebianCase): Promise<string[]> {
  const script = 'for each; do command -v "$each" > /dev/null || echo "$each"; done';
  const outcome = await execute("bash", ["-c", script, "bash", ...needs], { env: PREPARING });
  return text(outcome.stdout).split("\n").filter((line) => line !== "");
}

/** Exit code and output, of both runs. The native one works in a directory of its own, the other in the same one of its overlay. */
export async function runBoth(
  { script, prepare }: DebianCase,
): Promise<{ native: [number, string]; hedra: [number, string]; said: string }> {
  const directory = Deno.makeTempDirSync({ prefix: "hedra-debian-" });
  const inside = `cd ${directory}\n${script}`;
  try {
    if (script.includes("from terminal import")) {
      Deno.copyFileSync(`${REPOSITORY}tests/debian/terminal.py`, `${directory}/terminal.py`);
    }
    if (prepare !== "") {
      const { code, stderr } = await execute("/bin/bash", ["-ec", `cd ${directory}\n${prepare}`], { env: PREPARING });
      if (code !== 0) throw new Error(`cannot prepare: ${text(stderr)}`);
    }
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
