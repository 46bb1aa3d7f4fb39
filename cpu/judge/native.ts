/** Runs cases on the host's own processor through the harness in native/. Host side: this file and main.ts may use Deno. */
import { decodeResults, encodeBatch } from "./protocol.ts";
import type { Case, Result } from "./protocol.ts";

const SOURCE = new URL("./native/judge.c", import.meta.url);
// Lazy binding would need thread-local data while FS belongs to a case.
const FLAGS = ["-O2", "-fno-stack-protector", "-mno-red-zone", "-fpie", "-pie", "-Wl,-z,now"];

/** The harness ended or did not start. */
export class HarnessError extends Error {}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Whether the harness can be built and run here. */
export async function nativeAvailable(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return false;
  return await new Deno.Command("gcc", { args: ["--version"], stdout: "null", stderr: "null" }).output().then(
    (o) => o.success,
    () => false,
  );
}

/** Path of the harness, compiled when its source has changed. The cache directory is XDG_CACHE_HOME/hedra or ~/.cache/hedra. */
export async function buildHarness(): Promise<string> {
  const source = await Deno.readFile(SOURCE);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", source));
  const name = Array.from(digest.subarray(0, 8), (b) => b.toString(16).padStart(2, "0")).join("");
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`}/hedra`;
  const path = `${cache}/judge-${name}`;
  if (await exists(path)) return path;
  await Deno.mkdir(cache, { recursive: true });
  const building = `${path}.${Deno.pid}`;
  const { success, stderr } = await new Deno.Command("gcc", { args: [...FLAGS, "-o", building, SOURCE.pathname] }).output();
  if (!success) throw new HarnessError(`Cannot build the native judge: ${new TextDecoder().decode(stderr).trim()}`);
  await Deno.rename(building, path);
  return path;
}

/** One running harness. */
export class Native {
  readonly #child: Deno.ChildProcess;
  readonly #in: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #out: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#in = child.stdin.getWriter();
    this.#out = child.stdout.getReader();
  }
  static async start(baseline: Uint8Array): Promise<Native> {
    const child = new Deno.Command(await buildHarness(), { stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    const native = new Native(child);
    await native.#in.write(Uint8Array.from(baseline));
    return native;
  }
  /** Results in the order of the cases. Throws HarnessError when a case kills the harness. */
  async run(cases: readonly Case[]): Promise<Result[]> {
    try {
      await this.#in.write(Uint8Array.from(encodeBatch(cases)));
    } catch {
      throw new HarnessError("Native judge ended while it read cases");
    }
    const length = new DataView((await this.#read(4)).buffer).getUint32(0, true);
    return decodeResults(await this.#read(length));
  }
  async #read(bytes: number): Promise<Uint8Array> {
    const out = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#out.read();
        if (done) {
          throw new HarnessError(`Native judge ended: ${(await this.#child.status).signal ?? (await this.#child.status).code}`);
        }
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, bytes - at);
      out.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return out;
  }
  async stop(): Promise<void> {
    await this.#in.close().catch(() => {});
    await this.#out.cancel().catch(() => {});
    await this.#child.status;
  }
}

/** Runs a batch; a case that kills the harness is found by halving and gets no result. */
export async function runSafely(
  cases: readonly Case[],
  baseline: Uint8Array,
  native: Native | undefined,
): Promise<(Result | undefined)[]> {
  const runner = native ?? await Native.start(baseline);
  try {
    return await runner.run(cases);
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    if (cases.length === 1) return [undefined];
    const half = cases.length >> 1;
    return [
      ...await runSafely(cases.slice(0, half), baseline, undefined),
      ...await runSafely(cases.slice(half), baseline, undefined),
    ];
  } finally {
    if (native === undefined) await runner.stop();
  }
}
