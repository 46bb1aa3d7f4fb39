import assert from "node:assert/strict";
import { buildModules } from "./prebuild.ts";

const file = (name: string): URL => new URL(`../cpu/prebuilt/${name}`, import.meta.url);

Deno.test("the prebuilt modules are what the sources give (else: deno task prebuild)", () => {
  const { runtime, handlers } = buildModules(Deno.readTextFileSync(file("forms.txt")));
  const same = (name: string, bytes: Uint8Array) => {
    const kept = Deno.readFileSync(file(name));
    return kept.length === bytes.length && kept.every((b, i) => b === bytes[i]);
  };
  assert.ok(same("runtime.wasm", runtime), "runtime.wasm is stale");
  assert.ok(same("handlers.wasm", handlers), "handlers.wasm is stale");
});
