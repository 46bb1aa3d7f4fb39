/**
 * Builds the guest programs and packs them into boot.tar: `deno task guests`. What the compilers at hand cannot build is kept as it is in
 * the present boot.tar.
 */
import { IMAGE, SERVICE_IMAGE } from "./image.ts";
import { type Member, packTar, unpackTar } from "./tar.ts";

/** Compilers in the order of the thesis's build: musl's gcc for Linux C, gcc for C hyperapps, rustc for both kinds of Rust program. */
export type Tool = "musl-gcc" | "gcc" | "rustc";

export interface Guest {
  /** Member of boot.tar. */
  name: string;
  /** Relative to this folder. */
  source: string;
  tool: Tool;
  hyperapp: boolean;
  /** What the tour of the product says about it. */
  about: string;
}

const guest = (name: string, source: string, tool: Tool, about: string): Guest => ({
  name,
  source,
  tool,
  hyperapp: false,
  about,
});
const hyperapp = (name: string, source: string, tool: Tool, about: string): Guest => ({
  name,
  source,
  tool,
  hyperapp: true,
  about,
});

export const GUESTS: readonly Guest[] = [
  guest("bin/auxv", "auxv/auxv.c", "musl-gcc", "prints arguments, environment and auxiliary vector"),
  guest("bin/bench", "bench/system.c", "musl-gcc", "times system calls, hypercalls, IPC and files (Linux and hybrid)"),
  hyperapp("bin/bench-hyperapp", "bench/system.c", "gcc", "times hypercalls, IPC and files (hyperapp)"),
  guest("bin/circle", "circle/circle.rs", "rustc", "Linux program with Rust's standard library"),
  hyperapp("bin/crash", "crash/crash.c", "gcc", "a hyperapp that crashes"),
  guest("bin/files", "files/files.rs", "rustc", "file operations with Rust's standard library"),
  hyperapp("bin/hello", "hello/hello.c", "gcc", "the shortest hyperapp"),
  hyperapp("bin/hello-rust", "hello/hello.rs", "rustc", "the shortest hyperapp in Rust"),
  guest("bin/hybrid", "hybrid/hybrid.c", "musl-gcc", "hybrid in C"),
  guest("bin/hybrid-rust", "hybrid/hybrid.rs", "rustc", "hybrid in Rust"),
  guest("bin/kernels", "bench/kernels.c", "musl-gcc", "CPU kernels"),
  guest("bin/matrix", "matrix/matrix.c", "musl-gcc", "Linux program in C"),
  hyperapp("bin/tour", "tour/tour.c", "gcc", "a tour of the services for hyperapps"),
];

/** Programs of the second image, `hedra demo services`: a service and its clients. */
export const SERVICE_GUESTS: readonly Guest[] = [
  hyperapp("bin/bystander", "services/bystander.c", "gcc", "a hyperapp that must notice nothing"),
  hyperapp("bin/client", "services/client.c", "gcc", "a client of the key-value service, which it makes crash"),
  hyperapp("bin/kv", "services/kv.c", "gcc", "a key-value service"),
  hyperapp("bin/reaper", "services/reaper.c", "gcc", "a service that kills the Linux personality"),
  guest("bin/steady", "services/steady.c", "musl-gcc", "a Linux program that runs for ever"),
  hyperapp("bin/watcher", "services/watcher.c", "gcc", "waits until Linux programs run again"),
];
/** What roottask reads at the start. */
const MANIFEST = "etc/services.toml";

const HERE = new URL(".", import.meta.url).pathname;

const LINK_HYPERAPP = ["-nostdlib", "-static", "-Wl,-T,lib/hyperapp.ld", "-Wl,--build-id=none"];
const C_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Ilib", "-s", "-Wl,--build-id=none"];
const C_HYPERAPP = [
  "-DHEDRA_HYPERAPP",
  "-ffreestanding",
  "-fno-pic",
  "-no-pie",
  "-fno-stack-protector",
  "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables",
  "-fno-tree-loop-distribute-patterns", // memcpy and memset must not be compiled to calls of themselves
  "-Wl,-z,noexecstack",
];
// musl's headers stand first; those of the system are for programs that include kernel headers.
const C_LINUX = ["-static", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"];
const codegen = (...options: string[]): string[] => options.flatMap((option) => ["-C", option]);
const RUST_FLAGS = [
  "--edition=2021",
  "--target=x86_64-unknown-linux-musl",
  ...codegen("opt-level=s", "lto=fat", "panic=abort", "codegen-units=1", "strip=symbols", "relocation-model=static"),
];
const RUST_HYPERAPP = codegen(
  "link-self-contained=no",
  ...["-nostartfiles", ...LINK_HYPERAPP].map((flag) => `link-arg=${flag}`),
);

/** The command that compiles `guest` to `output`, run in this folder so that no path of this machine gets into the program. */
export function commandFor({ source, tool, hyperapp }: Guest, output: string): string[] {
  if (tool === "rustc") return [...RUST_FLAGS, ...(hyperapp ? RUST_HYPERAPP : []), source, "-o", output];
  return [...C_FLAGS, ...(hyperapp ? [...C_HYPERAPP, ...LINK_HYPERAPP] : C_LINUX), source, "-o", output];
}

/** Is the compiler there, and for rustc also the target's standard library? */
export async function hasTool(tool: Tool): Promise<boolean> {
  try {
    if (tool !== "rustc") return (await run(tool, ["--version"])).success;
    const { success, stdout } = await run("rustc", ["--print", "target-libdir", "--target", "x86_64-unknown-linux-musl"]);
    return success && Deno.statSync(new TextDecoder().decode(stdout).trim()).isDirectory;
  } catch {
    return false;
  }
}

const run = (command: string, args: string[]): Promise<Deno.CommandOutput> =>
  new Deno.Command(command, { args, cwd: HERE }).output();

/** Compiles one guest. Throws with the compiler's messages. */
export async function buildGuest(guest: Guest): Promise<Uint8Array<ArrayBuffer>> {
  const output = Deno.makeTempFileSync();
  try {
    const { success, stderr } = await run(guest.tool, commandFor(guest, output));
    if (!success) throw new Error(`Cannot build "${guest.source}": ${new TextDecoder().decode(stderr)}`);
    return Deno.readFileSync(output);
  } finally {
    Deno.removeSync(output);
  }
}

/** Programs of the present boot image by name; empty when there is none. */
export function committedGuests(image = IMAGE): Map<string, Member> {
  try {
    return new Map(unpackTar(Deno.readFileSync(image)).map((member) => [member.name, member]));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw error;
  }
}

const directory = (name: string, mode: number): Member => ({ name, mode, bytes: new Uint8Array() });

export const bootImage = (programs: Map<string, Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> =>
  packTar([
    directory("bin/", 0o755),
    ...[...programs].sort(([a], [b]) => a < b ? -1 : 1).map(([name, bytes]) => ({ name, mode: 0o755, bytes })),
    directory("tmp/", 0o1777),
  ]);

export const serviceImage = (programs: Map<string, Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> =>
  packTar([
    directory("bin/", 0o755),
    ...[...programs].sort(([a], [b]) => a < b ? -1 : 1).map(([name, bytes]) => ({ name, mode: 0o755, bytes })),
    directory("etc/", 0o755),
    { name: MANIFEST, mode: 0o644, bytes: Deno.readFileSync(`${HERE}services/services.toml`) },
    directory("tmp/", 0o1777),
  ]);

/** What the compilers at hand cannot build is taken from `before`. */
async function buildAll(guests: readonly Guest[], before: Map<string, Member>): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const programs = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const guest of guests) {
    const kept = before.get(guest.name);
    if (await hasTool(guest.tool)) programs.set(guest.name, await buildGuest(guest));
    else if (kept) programs.set(guest.name, kept.bytes);
    const bytes = programs.get(guest.name);
    const how = bytes === kept?.bytes ? `kept (no ${guest.tool})` : `built with ${guest.tool}`;
    console.log(
      `${guest.name.padEnd(20)} ${String(bytes?.length ?? 0).padStart(8)}  ${bytes ? how : `MISSING: needs ${guest.tool}`}`,
    );
  }
  return programs;
}

if (import.meta.main) {
  for (
    const [path, guests, pack] of [[IMAGE, GUESTS, bootImage], [SERVICE_IMAGE, SERVICE_GUESTS, serviceImage]] as const
  ) {
    const image = pack(await buildAll(guests, committedGuests(path)));
    Deno.writeFileSync(path, image);
    console.log(`${path.slice(HERE.length).padEnd(20)} ${String(image.length).padStart(8)}`);
  }
}
