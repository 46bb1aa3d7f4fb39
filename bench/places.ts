/** Finds, builds and generates what the workloads need. */
import { execute, text } from "../tests/process.ts";
import { cSource, LUA_SCRIPT, PYTHON_SCRIPT, sqlScript, words } from "./inputs.ts";
import { extract } from "./suites.ts";

export interface Places {
  /** Built programs. */
  bin: string;
  /** Empty, for this run. */
  scratch: string;
  kernels: {
    program: string;
    /** The field of its lines with the median, ns. */
    median: string;
    names: Record<"int" | "call" | "mem" | "fp", readonly string[]>;
    /** The same kernels in WebAssembly, and the script that runs them. */
    wasm: { runner: string; module: string } | undefined;
  };
  /** A small program that ends at once. */
  hello: readonly string[];
  /** Data to compress (4 MiB) and to digest (20 MiB), and a long C file. */
  inputs: { small: string; large: string; c: string };
  lua: readonly string[];
  sqlite: readonly string[];
  python: readonly string[];
  /** gcc's compiler proper. */
  cc1: string;
}

const SMALL_BYTES = 4 << 20, LARGE_BYTES = 20 << 20;

/** The path that gcc tells, or the bare name, which is then not found, like any other program that is not installed. */
async function cc1(): Promise<string> {
  try {
    return text((await execute("gcc", ["-print-prog-name=cc1"])).stdout).trim();
  } catch {
    return "cc1";
  }
}

/** With BENCH_SRC what that directory builds, else what this repository and this machine have. `note` is told what cannot be had. */
export function findPlaces(scratch: string, note: (line: string) => void): Promise<Places> {
  const source = Deno.env.get("BENCH_SRC");
  return source ? fromSource(source, scratch, note) : fromRepository(scratch);
}

/** Throws when the directory is no such thing or does not build. */
export async function fromSource(source: string, scratch: string, note: (line: string) => void): Promise<Places> {
  try {
    Deno.statSync(`${source}/Makefile`);
  } catch {
    throw new Error(
      `Cannot use BENCH_SRC "${source}": it has no Makefile whose target "all" builds programs into $BENCH_BIN and inputs into ` +
        "$BENCH_WORK (README.md, Speed); without BENCH_SRC programs of this repository run instead",
    );
  }
  const bin = Deno.env.get("BENCH_BIN") ?? `${scratch}/bin`, work = Deno.env.get("BENCH_WORK") ?? `${scratch}/work`;
  const env = { ...Deno.env.toObject(), BENCH_BIN: bin, BENCH_WORK: work };
  const make = (...targets: string[]) => execute("make", ["-s", "-C", source, ...targets], { env });
  const made = await make("all");
  if (made.code !== 0) {
    throw new Error(`Cannot build "${source}": ${text(made.stderr).trim().split("\n").slice(0, 5).join("\n")}`);
  }
  Deno.writeFileSync(`${work}/f4m`, Deno.readFileSync(`${work}/f20m`).subarray(0, SMALL_BYTES));
  const module = `${bin}/cpu-wasm.wasm`, wasm = (await make(module)).code === 0;
  if (!wasm) note("no column for C compiled to WebAssembly: that needs clang-14 and lld-14");
  return {
    bin,
    scratch,
    kernels: {
      program: `${bin}/cpu`,
      median: "med",
      names: {
        int: ["sieve", "crc32", "sha256", "coremix", "qsort"],
        call: ["fib", "nqueens", "icall"],
        mem: ["chase", "memcpy"],
        fp: ["nbody", "mandel", "spectral"],
      },
      wasm: wasm ? { runner: `${source}/wasmcpu.mjs`, module } : undefined,
    },
    hello: [`${bin}/hello`],
    inputs: { small: `${work}/f4m`, large: `${work}/f20m`, c: `${work}/f2k.c` },
    lua: [`${bin}/luarun`, `${source}/work.lua`, "4"],
    sqlite: [`${bin}/sqlbench`, "200000"],
    python: ["/usr/bin/python3", "-S", "-E", `${source}/work.py`, "5"],
    cc1: await cc1(),
  };
}

/** Kernels of the boot image, and inputs that are made here for programs of this machine. */
export async function fromRepository(scratch: string): Promise<Places> {
  const write = (name: string, content: string): string => {
    Deno.writeTextFileSync(`${scratch}/${name}`, content);
    return `${scratch}/${name}`;
  };
  const data = words(LARGE_BYTES);
  return {
    bin: scratch,
    scratch,
    kernels: {
      program: extract("kernels", scratch),
      median: "ns",
      names: {
        int: ["primes", "adler", "collatz", "hash_table", "sort"],
        call: ["ackermann", "tak", "dispatch"],
        mem: ["chase", "copy", "tree"],
        fp: ["matrix", "orbit", "fractal"],
      },
      wasm: undefined,
    },
    hello: [extract("matrix", scratch), "2"],
    inputs: {
      small: write("small.txt", data.slice(0, SMALL_BYTES)),
      large: write("large.txt", data),
      c: write("source.c", cSource(60)),
    },
    lua: ["/usr/bin/lua5.4", write("work.lua", LUA_SCRIPT)],
    sqlite: ["/usr/bin/sqlite3", "-batch", ":memory:", sqlScript(100_000)],
    python: ["/usr/bin/python3", "-S", "-E", write("work.py", PYTHON_SCRIPT)],
    cc1: await cc1(),
  };
}
