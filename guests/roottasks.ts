/** Builds the roottasks for `hedra boot` and packs them into roottasks.tar: `deno run -A guests/roottasks.ts`. Needs gcc. */
import { type Member, packTar, unpackTar } from "./tar.ts";

const HERE = new URL(".", import.meta.url).pathname;
export const ROOTTASKS_IMAGE = `${HERE}roottasks.tar`;

export interface Roottask {
  /** Member of roottasks.tar. */
  name: string;
  /** Relative to this folder. */
  source: string;
  /** Interface version that it is compiled for, as in the HIP. */
  api: 5004 | 13002;
}

export const ROOTTASKS: readonly Roottask[] = [
  { name: "roottask", source: "roottask/main.c", api: 5004 },
  { name: "bench-hedron", source: "bench/hedron.c", api: 5004 },
  { name: "conformance", source: "conformance/main.c", api: 5004 },
  { name: "conformance-13.2", source: "conformance/main.c", api: 13002 },
];

const FLAGS = [
  ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Inative", "-s"],
  ...["-ffreestanding", "-fno-strict-aliasing", "-fno-pic", "-no-pie", "-fno-stack-protector", "-fcf-protection=none"],
  ...[
    "-fno-asynchronous-unwind-tables",
    "-fno-ipa-reference",
    "-fno-ipa-pure-const",
    "-fno-tree-loop-distribute-patterns",
    "-mgeneral-regs-only",
  ],
  ...["-Wl,-z,noexecstack", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096"],
  ...["-nostdlib", "-static", "-Wl,-T,native/roottask.ld"],
];

/** Compiles one roottask. Throws with the compiler's messages. */
export async function buildRoottask({ source, api }: Roottask): Promise<Uint8Array<ArrayBuffer>> {
  const output = Deno.makeTempFileSync();
  try {
    const args = [...FLAGS, `-DAPI=${api}`, source, "-o", output];
    const { success, stderr } = await new Deno.Command("gcc", { args, cwd: HERE }).output();
    if (!success) throw new Error(`Cannot build "${source}": ${new TextDecoder().decode(stderr)}`);
    return Deno.readFileSync(output);
  } finally {
    Deno.removeSync(output);
  }
}

/** The roottasks of the present image by name. */
export const committedRoottasks = (): Map<string, Member> =>
  new Map(unpackTar(Deno.readFileSync(ROOTTASKS_IMAGE)).map((member) => [member.name, member]));

if (import.meta.main) {
  const members = await Promise.all(
    ROOTTASKS.map(async (each) => ({ name: each.name, mode: 0o755, bytes: await buildRoottask(each) })),
  );
  for (const { name, bytes } of members) console.log(`${name.padEnd(20)} ${bytes.length}`);
  Deno.writeFileSync(ROOTTASKS_IMAGE, packTar(members));
}
