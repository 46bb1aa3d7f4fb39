import assert from "node:assert/strict";
import { buildGuest, committedGuests, hasTool, SERVICE_GUESTS, serviceImage } from "../guests/build.ts";
import { SERVICE_IMAGE } from "../guests/image.ts";
import { writeTar } from "../fs/tar_writer.ts";
import { MemoryHost } from "../host/memory_host.ts";
import { boot } from "../roottask/boot.ts";
import type { BootConfig } from "../roottask/boot_config.ts";
import { parseManifest } from "../roottask/manifest.ts";
import { killPersonality, type KillSample } from "./support/kill_personality.ts";
import { runHedra, text } from "./process.ts";

Deno.test("hedra demo services: a service dies in a client's call, the Linux personality is killed; both come back, the others notice nothing", async () => {
  const { code, stdout } = await runHedra(["demo", "services"]);
  const out = text(stdout);
  assert.equal(code, 0, out);
  assert.equal([...out.matchAll(/^\[kv \d+\] kv: ready$/gm)].length, 2, out);
  for (const line of ["the service dies in our call: COM_ABT", "its portal has gone: BAD_CAP", "connect again", "put again"]) {
    assert.match(out, new RegExp(`^\\[client \\d+\\] ok +${line}$`, "m"));
  }
  assert.match(out, /^\[bystander \d+\] 200 calls to echo, undisturbed$/m);
  assert.equal([...out.matchAll(/^\[steady \d+\] steady service: started$/gm)].length, 2, out);
  assert.match(out, /^\[reaper \d+\] killed the Linux personality$/m);
  assert.match(out, /^\[watcher \d+\] Linux programs run again$/m);
  assert.match(out, /^steady +ended with 137: The linux personality has been killed$/m);
  assert.doesNotMatch(out, /FAIL/);
});

Deno.test("the image of the services is what its sources say", async () => {
  const members = committedGuests(SERVICE_IMAGE);
  const programs = new Map(
    [...members].filter(([name]) => name.startsWith("bin/") && name !== "bin/").map(([n, m]) => [n, m.bytes]),
  );
  assert.deepEqual([...programs.keys()].sort(), SERVICE_GUESTS.map(({ name }) => name).sort());
  assert.deepEqual(serviceImage(programs), Deno.readFileSync(SERVICE_IMAGE));
  if (!(await hasTool("gcc"))) return console.log("skipped: gcc builds them");
  for (const guest of SERVICE_GUESTS) assert.ok((await buildGuest(guest)).length > 0);
});

/** Boots client (or other programs) with the given manifest. */
async function run(manifest: string, program: string): Promise<{ out: string; err: string }> {
  const members = committedGuests(SERVICE_IMAGE), host = new MemoryHost();
  const files = [...members].filter(([name]) => name.startsWith("bin/") && name !== "bin/")
    .map(([path, { bytes, mode }]) => ({ path, bytes: new Uint8Array(bytes), mode }));
  files.push({ path: "services.toml", bytes: new TextEncoder().encode(manifest), mode: 0o644 });
  const config: BootConfig = {
    memoryMiB: 32,
    host,
    mounts: [{ guest: "/", source: { kind: "tar", bytes: writeTar(files) }, overlay: true }],
    programs: [{ kind: "hyperapp", path: `/bin/${program}`, argv: [], env: [], cwd: "/" }],
    output: { style: "raw" },
    strace: false,
    verbose: false,
    manifest: { path: "/services.toml", parse: parseManifest },
  };
  await boot(config);
  return { out: host.stdout.text, err: host.stderr.text };
}

const kv = (rest: string): string => `[[service]]\nname = "kv"\nbinary = "/bin/kv"\ncapabilities = ["broker", "exit"]\n${rest}`;

Deno.test("a service with the policy never stays down: connecting again fails at once", async () => {
  const { out } = await run(kv('restart = "never"'), "client");
  assert.match(out, /^ok +its portal has gone: BAD_CAP\nFAIL +connect again: 2$/m);
});

Deno.test("a service that may not come back again says so", async () => {
  const { err } = await run(kv('restart = "always"\nmax_restarts = 0'), "client");
  assert.match(err, /Service "kv" stays down after 0 restarts/);
});

Deno.test("a service without the broker capability cannot offer itself", async () => {
  const { out } = await run(kv('restart = "never"').replace('"broker", ', ""), "client");
  assert.match(out, /^FAIL +connect to kv: 2$/m);
});

Deno.test("a manifest that is wrong is one clear error", async () => {
  await assert.rejects(run(kv('restart = "often"'), "client"), /Cannot use "\/services.toml": service "kv": restart must be/);
});

Deno.test("a personality that is killed and started again twenty times leaves nothing behind", async () => {
  const { samples, programs } = await killPersonality(20);
  assert.deepEqual(programs, [0]);
  assert.ok(samples.length >= 20, `${samples.length} kills`);
  const late = samples.splice(samples.length >> 1);
  for (const what of ["pages", "domains", "roottask"] as const) {
    // Some samples show the old and the new personality at once; what stays behind would raise all of them.
    const usual = (list: readonly KillSample[]): number => list.map((each) => each[what]).sort((a, b) => a - b)[list.length >> 1];
    assert.ok(usual(late) <= usual(samples), `${what}: ${JSON.stringify([...samples, ...late].map((each) => each[what]))}`);
  }
});
