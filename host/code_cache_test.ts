import assert from "node:assert/strict";
import { openCodeCache } from "./code_cache.ts";

const names = (directory: string): string[] => [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

Deno.test("only the cache's own files are removed when there are too many", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const others = Array.from({ length: 300 }, (_, n) => `${n}.txt`).sort(), old = new Date("2020-01-01");
    for (const name of others) {
      Deno.writeTextFileSync(`${directory}/${name}`, "");
      Deno.utimeSync(`${directory}/${name}`, old, old);
    }
    for (let n = 0; n < 260; n++) openCodeCache(directory, [String(n)]).save(new Uint8Array(1));
    const left = names(directory);
    assert.deepEqual(left.filter((name) => name.endsWith(".txt")), others);
    assert.equal(left.length - others.length, 256);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a file that cannot be finished leaves nothing behind", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const first = openCodeCache(directory, ["program"]);
    first.save(new Uint8Array(1));
    // A file cannot replace a directory.
    const [name] = names(directory);
    Deno.removeSync(`${directory}/${name}`);
    Deno.mkdirSync(`${directory}/${name}/occupied`, { recursive: true });
    first.save(new Uint8Array(1));
    assert.deepEqual(names(directory), [name]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
