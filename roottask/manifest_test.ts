import assert from "node:assert/strict";
import { parseManifest } from "./manifest.ts";

const SERVICE = '[[service]]\nname = "kv"\nbinary = "/bin/kv"\n';

Deno.test("a service needs a name and a binary only", () => {
  const expected = { name: "kv", binary: "/bin/kv", capabilities: [], restart: "never", maxRestarts: 5 };
  assert.deepEqual(parseManifest(SERVICE), [expected]);
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
    [SERVICE + SERVICE, /twice/],
  ] as const
) {
  Deno.test(`manifest ${JSON.stringify(text)} is refused with a reason`, () => {
    const result = parseManifest(text);
    assert.match(typeof result === "string" ? result : "accepted", message);
  });
}
