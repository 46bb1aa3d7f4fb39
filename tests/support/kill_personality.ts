/** A machine whose Linux personality is killed and started again, for tests and benchmarks. */
import { writeTar } from "../../fs/tar_writer.ts";
import { committedGuests } from "../../guests/build.ts";
import { SERVICE_IMAGE } from "../../guests/image.ts";
import { MemoryHost } from "../../host/memory_host.ts";
import { createLinux } from "../../linux/mod.ts";
import type { Machine } from "../../machine.ts";
import { boot } from "../../roottask/boot.ts";
import { ROOT } from "../../roottask/layout.ts";
import { parseManifest } from "../../roottask/manifest.ts";

/** What there is when the personality is about to end. */
export interface KillSample {
  /** Bytes of kernel memory in use. */
  pages: number;
  /** Living protection domains. */
  domains: number;
  /** Capabilities of roottask. */
  roottask: number;
}

const always = (times: number): string => `restart = "always"\nmax_restarts = ${times + 2}\n`;

/** Kills it `times` times or a little more often, each time with a program that has just been started. `programs`: exit codes. */
export async function killPersonality(
  times: number,
  killed?: () => void,
): Promise<{ samples: KillSample[]; programs: number[] }> {
  const manifest = `[[service]]\nname = "linux"\nhost = "linux"\n${always(2 * times)}
[[service]]\nname = "steady"\nbinary = "/bin/steady"\n${always(2 * times)}
[[service]]\nname = "reaper"\nbinary = "/bin/reaper"\ncapabilities = ["stdout", "fs", "exit", "broker", "kill"]\n${
    always(2 * times)
  }`;
  const encode = (text: string) => new TextEncoder().encode(text), samples: KillSample[] = [];
  const files = [...committedGuests(SERVICE_IMAGE)].filter(([name]) => name.startsWith("bin/") && name !== "bin/")
    .map(([path, { bytes, mode }]) => ({ path, bytes: new Uint8Array(bytes), mode }));
  files.push({ path: "tmp/steady", bytes: encode("."), mode: 0o666 });
  files.push({ path: "services.toml", bytes: encode(manifest), mode: 0o644 });
  files.push({ path: "etc/starts", bytes: encode(String(times + 2)), mode: 0o644 });
  const host = new MemoryHost();
  let machine: Machine | undefined;
  const write = host.stderr.write.bind(host.stderr);
  host.stderr.write = (bytes) => {
    if (machine !== undefined && new TextDecoder().decode(bytes).includes("has been killed")) {
      const { memory, life } = machine.kernel, root = [...life.pds].find((pd) => pd.privileged);
      samples.push({
        pages: memory.used,
        domains: life.pds.size,
        roottask: root?.objects.within(ROOT.PD, 2 ** 26 - ROOT.PD).length ?? 0,
      });
      killed?.();
    }
    return write(bytes);
  };
  const { programs } = await boot({
    memoryMiB: 64,
    host,
    mounts: [{ guest: "/", source: { kind: "tar", bytes: writeTar(files) }, overlay: true }],
    programs: [{ kind: "hyperapp", path: "/bin/watcher", argv: [], env: [], cwd: "/" }],
    linux: () => createLinux(),
    output: { style: "raw" },
    strace: false,
    verbose: false,
    manifest: { path: "/services.toml", parse: parseManifest },
    prepared: (made) => machine = made,
  });
  return { samples, programs: programs.map(({ exitCode }) => exitCode) };
}
