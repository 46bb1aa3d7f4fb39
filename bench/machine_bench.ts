/** Whole machines in one process, from power-on to the last program's end: `deno bench -A bench/machine_bench.ts`. */
import { MemoryHost } from "../host/memory_host.ts";
import { createLinux } from "../linux/mod.ts";
import { boot } from "../roottask/boot.ts";

const image = Deno.readFileSync(new URL("../guests/boot.tar", import.meta.url));

async function runGuest(name: string, args: string[], stdin = ""): Promise<void> {
  const { programs } = await boot({
    memoryMiB: 64,
    host: new MemoryHost({ stdin }),
    mounts: [{ guest: "/", source: { kind: "tar", bytes: image }, overlay: true }],
    programs: [{ kind: "auto", path: `/bin/${name}`, argv: [name, ...args], env: [], cwd: "/" }],
    linux: createLinux,
    output: { style: "raw" },
    strace: false,
    verbose: false,
  });
  if (programs[0].exitCode !== 0) throw new Error(`${name} ended with ${programs[0].exitCode}`);
}

Deno.bench("hello (hyperapp)", () => runGuest("hello", []));
Deno.bench("matrix 2 (Linux, C)", () => runGuest("matrix", ["2"]));
Deno.bench("circle 1 (Linux, Rust)", () => runGuest("circle", ["1"]));
Deno.bench("hybrid", () => runGuest("hybrid", []));
