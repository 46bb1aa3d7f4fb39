import assert from "node:assert/strict";
import { parseManifest } from "./manifest.ts";

const SERVICE = '[[service]]\nname = "kv"\nbinary = "/bin/kv"\n';

Deno.test("a service needs a name and a binary, or a host PD, only", () => {
  const expected = { name: "kv", program: { binary: "/bin/kv", args: [] }, capabilities: [], restart: "never", maxRestarts: 5 };
  assert.deepEqual(parseManifest(SERVICE), [expected]);
  assert.deepEqual(parseManifest('[[service]]\nname = "os"\nhost = "linux"'), [{
    ...expected,
    name: "os",
    program: { host: "linux" },
  }]);
  assert.deepEqual(parseManifest(""), []);
});

for (
  const [text, message] of [
    ["[[service", /./],
    ["other = 1", /\[\[service\]\]/],
    ['[[service]]\nbinary = "/bin/kv"', /no name/],
    ['[[service]]\nname = "a"\nbinary = "kv"', /"a": binary must be an absolute path/],
    [`${SERVICE}restart = "often"`, /restart must be one of/],
    [`${SERVICE}capabilities = ["everything"]`, /no capability is called "everything"/],
    [`${SERVICE}capabilites = []`, /unknown key "capabilites"/],
    [`${SERVICE}max_restarts = -1`, /max_restarts/],
    [`${SERVICE}host = "linux"`, /either binary \(and args\) or host/],
    [`${SERVICE}args = "-v"`, /args must be an array of strings/],
    ['[[service]]\nname = "os"\nhost = "plan9"', /host must be one of linux, freebsd/],
    [SERVICE + SERVICE, /twice/],
  ] as const
) {
  Deno.test(`manifest ${JSON.stringify(text)} is refused with a reason`, () => {
    const result = parseManifest(text);
    assert.match(typeof result === "string" ? result : "accepted", message);
  });
}
