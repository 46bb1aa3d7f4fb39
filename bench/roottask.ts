/** Runs guests/bench/hedron.c, a roottask in machine code that measures the kernel from guest code on both sides. */
import { PortBus, Uart16550 } from "../devices/mod.ts";
import { committedRoottasks } from "../guests/roottasks.ts";
import { denoHost } from "../host/deno_host.ts";
import { Machine, SERIAL_PORT } from "../machine.ts";

/**
 * Lines `NAME ns=N` of the roottask's serial line, and the host memory in MiB that was in use when each was printed. Stops after the line
 * `last` when that is given.
 */
export async function runRoottask(
  last?: string,
): Promise<{ ns: Map<string, number>; text: string; memory: Map<string, number> }> {
  let text = "";
  const memory = new Map<string, number>();
  const decoder = new TextDecoder(), host = denoHost();
  const sink = {
    write(bytes: Uint8Array): number {
      const line = decoder.decode(bytes);
      text += line;
      const name = line.split(/\s/)[0];
      memory.set(name, Deno.memoryUsage().rss / 2 ** 20);
      if (name === last) machine.stop();
      return bytes.length;
    },
  };
  const bus = new PortBus([new Uart16550(SERIAL_PORT, sink)]);
  const machine = new Machine({ memoryMiB: 1408, host, ports: bus });
  const program = committedRoottasks().get("bench-hedron");
  if (!program) throw new Error("roottasks.tar has no bench-hedron; run: deno run -A guests/roottasks.ts");
  machine.bootGuest([{ bytes: program.bytes, commandLine: "" }]);
  await machine.run({ endWhenIdle: true });
  bus.flush();
  const ns = new Map([...text.matchAll(/^(\S+) ns=([\d.]+)$/gm)].map(([, name, value]) => [name, Number(value)]));
  return { ns, text, memory };
}
