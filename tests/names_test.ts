/** Names of the network with a host whose name server says what the test wants: getaddrinfo of musl asks the machine's own. */
import assert from "node:assert/strict";
import type { HostEndpoint, HostNetwork } from "../host/api.ts";
import { EAGAIN, EBADF, ECONNREFUSED, ENOENT } from "../host/errno.ts";
import { MemoryHost } from "../host/memory_host.ts";
import { createLinux } from "../linux/mod.ts";
import { boot } from "../roottask/boot.ts";
import { compile, testWith } from "./tools.ts";

/** A network in which nobody answers; it remembers who was asked for. */
class SilentNetwork implements HostNetwork {
  onReady: (() => void) | undefined;
  readonly asked: string[] = [];
  readonly tried: string[] = [];
  readonly #names = new Map<number, string>();
  readonly #news: number[] = [];
  #last = 0;

  constructor(private readonly zone: Readonly<Record<string, readonly string[]>>) {}

  #make(): number {
    const id = ++this.#last;
    setTimeout(() => (this.#news.push(id), this.onReady?.()));
    return id;
  }
  changed = (): number => this.#news.shift() ?? 0;
  connect({ host, port }: HostEndpoint): number {
    this.tried.push(`${host} ${port}`);
    return this.#make();
  }
  resolve(name: string): number {
    this.asked.push(name);
    const id = this.#make();
    this.#names.set(id, name);
    return id;
  }
  resolved(id: number): string[] | number {
    const found = this.zone[this.#names.get(id) ?? ""];
    return found === undefined ? -ENOENT : [...found];
  }
  status = (): number => -ECONNREFUSED;
  addresses = (): string[] => ["192.0.2.100", "2001:db8::100"];
  listen = (): number => -EBADF;
  accept = (): number => -EAGAIN;
  open = (): number => this.#make();
  receive = (): number => -EAGAIN;
  send = (): number => -EBADF;
  receiveFrom = (): number => -EAGAIN;
  sendTo = (): number => -EBADF;
  shutdown = (): number => 0;
  close(): void {}
  endpoint = (): number => -EBADF;
  end = (): Promise<void> => Promise.resolve();
}

const ZONE = {
  "good.test": ["192.0.2.5", "2001:db8::5"],
  "both.test": ["192.0.2.6", "127.0.0.1", "169.254.169.254"],
  "home.test": ["127.0.0.1", "::1", "0.0.0.0"],
  "secret.test": ["192.0.2.7"],
};

/** Runs tests/programs/names.c with these grants. */
async function look(grants: readonly string[], ...args: string[]): Promise<{ lines: string[]; network: SilentNetwork }> {
  const program = Deno.readFileSync(await compile("names.c", "musl-gcc"));
  const network = new SilentNetwork(ZONE), host = Object.assign(new MemoryHost(), { network });
  await boot({
    memoryMiB: 64,
    host,
    mounts: [{ guest: "/", source: { kind: "files", files: [{ path: "names", bytes: program, mode: 0o755 }] }, overlay: true }],
    programs: [{ kind: "linux", path: "/names", argv: ["names", ...args], env: [], cwd: "/" }],
    linux: () => createLinux(),
    output: { style: "raw" },
    permissions: grants.map((value) => ({ name: "allow-net", value })),
    strace: false,
    verbose: false,
  });
  return { lines: host.stdout.text.trimEnd().split("\n").sort(), network };
}

testWith(["musl-gcc"], "a granted name is looked up, and its addresses are reached at the granted port only", async () => {
  const { lines, network } = await look(["good.test:80"], "good.test", "80", "GOOD.test", "81");
  assert.deepEqual(lines, [
    "GOOD.test: 192.0.2.5 refused",
    "GOOD.test: 2001:db8::5 refused",
    "good.test: 192.0.2.5 refused",
    "good.test: 2001:db8::5 refused",
  ]);
  assert.deepEqual(network.tried.sort(), ["192.0.2.5 80", "2001:db8::5 80"]);
});

testWith(["musl-gcc"], "a name that is not granted does not exist, and nobody is asked for it", async () => {
  const { lines, network } = await look(["good.test"], "secret.test", "80", "good.test.", "80", "no.good.test", "80");
  assert.deepEqual(lines.filter((line) => !line.startsWith("good")), [
    "no.good.test: Name does not resolve",
    "secret.test: Name does not resolve",
  ]);
  assert.ok(network.asked.length > 0 && network.asked.every((name) => name === "good.test"), network.asked.join());
});

testWith(["musl-gcc"], "a granted name whose owner points it at the host itself or its link leads nowhere", async () => {
  const { lines, network } = await look(
    ["home.test", "both.test", "192.0.2.9"],
    "home.test",
    "80",
    "both.test",
    "80",
    "127.0.0.1",
    "80",
    "169.254.169.254",
    "80",
  );
  assert.deepEqual(lines, [
    "127.0.0.1: 127.0.0.1 refused",
    "169.254.169.254: 169.254.169.254 refused",
    "both.test: 192.0.2.6 refused",
    "home.test: Name does not resolve",
  ]);
  assert.deepEqual(network.tried, ["192.0.2.6 80"]);
});

testWith(["musl-gcc"], "localhost and the machine's own name are the machine's loopback, whatever is granted", async () => {
  const { lines, network } = await look([], "localhost", "80", "hedra", "80", "good.test", "80");
  assert.deepEqual([network.asked, network.tried], [[], []]);
  assert.ok(lines.includes("localhost: 127.0.0.1 refused") && lines.includes("hedra: 127.0.0.1 refused"), lines.join("\n"));
  assert.ok(lines.includes("good.test: Name does not resolve"), lines.join("\n"));
});
