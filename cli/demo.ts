import { IMAGE, SERVICE_IMAGE } from "../guests/image.ts";
import type { BootConfig, ProgramSpec } from "../roottask/boot_config.ts";
import { EXIT } from "./errors.ts";
import { DEFAULT_MEMORY_MIB } from "./options.ts";
import { bootMachine } from "./run.ts";
import { mayColor, print } from "./terminal.ts";

const program = (kind: ProgramSpec["kind"], name: string, ...args: string[]): ProgramSpec => ({
  kind,
  path: `/bin/${name}`,
  argv: [name, ...args],
  env: [],
  cwd: "/",
  name,
});

/** 128 + SIGSEGV. */
const CRASH_EXIT = 139;

/** 128 + SIGKILL: its personality was killed. */
const KILLED_EXIT = 137;

/** What runs side by side: each kind of program that the thesis has, and a crash that must not disturb the others. */
const PROGRAMS: readonly ProgramSpec[] = [
  program("hyperapp", "hello"),
  program("hyperapp", "tour"),
  program("hyperapp", "crash"),
  program("linux", "circle", "1", "2.5", "10.123"),
  program("linux", "matrix", "4"),
  program("linux", "files"),
  program("linux", "hybrid"),
  program("linux", "hybrid-rust"),
];

/** The machine of `hedra demo`. */
export async function demoConfig(verbose: boolean): Promise<BootConfig> {
  const { denoHost } = await import("../host/deno_host.ts");
  return {
    memoryMiB: DEFAULT_MEMORY_MIB,
    host: denoHost(),
    mounts: [{ guest: "/", source: { kind: "tar", bytes: Deno.readFileSync(IMAGE) }, overlay: true }],
    programs: [...PROGRAMS],
    output: { style: "prefixed", colour: mayColor("stdout") },
    strace: false,
    verbose,
  };
}

/** `hedra demo`: fails when a program did not end as it should. */
export async function runDemo({ verbose }: { verbose: boolean }): Promise<number> {
  const config = await demoConfig(verbose);
  print(
    "stdout",
    `Booting Hedron with ${config.programs.length} programs: ${config.programs.map((spec) => spec.name).join(", ")}\n`,
  );
  const { programs } = await bootMachine(config);
  for (const { spec, exitCode, message } of programs) {
    print("stdout", `${(spec.name ?? spec.path).padEnd(12)} ended with ${exitCode}${message ? `: ${message}` : ""}\n`);
  }
  const good = programs.every(({ spec, exitCode }) => exitCode === (spec.name === "crash" ? CRASH_EXIT : 0));
  return good ? EXIT.OK : EXIT.FAILURE;
}

/** The machine of `hedra demo services`: the services of the image's manifest, and programs that use them. */
export async function servicesConfig(verbose: boolean): Promise<BootConfig> {
  const [base, { parseManifest }] = await Promise.all([demoConfig(verbose), import("../roottask/manifest.ts")]);
  return {
    ...base,
    mounts: [
      { guest: "/", source: { kind: "tar", bytes: Deno.readFileSync(SERVICE_IMAGE) }, overlay: true },
      { guest: "/demo", source: { kind: "tar", bytes: Deno.readFileSync(IMAGE) }, overlay: true },
    ],
    programs: [
      program("hyperapp", "client"),
      program("hyperapp", "bystander"),
      program("hyperapp", "watcher"),
      program("linux", "steady"),
    ],
    manifest: { path: "/etc/services.toml", parse: parseManifest },
  };
}

/** `hedra demo services`: a service is killed in the middle of a client's call, the Linux personality among its programs; both come back. */
export async function runServicesDemo({ verbose }: { verbose: boolean }): Promise<number> {
  const config = await servicesConfig(verbose);
  print(
    "stdout",
    "Booting Hedron with the service kv, a client that makes it crash, a service that kills the Linux personality, and a bystander\n",
  );
  const { programs } = await bootMachine(config);
  for (const { spec, exitCode, message } of programs) {
    print("stdout", `${(spec.name ?? spec.path).padEnd(12)} ended with ${exitCode}${message ? `: ${message}` : ""}\n`);
  }
  const good = programs.every(({ spec, exitCode }) => exitCode === (spec.name === "steady" ? KILLED_EXIT : 0));
  return good ? EXIT.OK : EXIT.FAILURE;
}
