import assert from "node:assert/strict";

/** The layers of docs/architecture.md, and which folders each may import from. Tests may import anything. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  cpu: ["cpu"],
  hedron: ["hedron", "cpu", "host"],
  roottask: ["roottask", "hedron", "cpu", "host", "fs"],
  fs: ["fs", "hedron", "cpu", "host", "roottask"],
  linux: ["linux", "hedron", "cpu", "host", "fs", "roottask"],
  // What linux/ has for any personality: memory areas, ELF files, threads' portals, the console.
  freebsd: ["freebsd", "linux", "hedron", "cpu", "host", "fs", "roottask"],
};
/** Files of a layer that other layers may see; a folder that is not named here is open. */
const HOST_INTERFACES = ["host/api.ts", "host/errno.ts"];

/** The hypercalls, and the plain data of the inspector. */
const KERNEL_INTERFACES = ["hedron/api.ts", "hedron/inspect.ts"];

const ROOT = new URL("..", import.meta.url).pathname;

/** Not part of the product: tests, what they share, and the harness that asks the real processor. */
const TEST_CODE = /_(test|bench)\.ts$|\/testing\.ts$|\/(testing|judge)\//;

interface Source {
  /** Relative to the repository. */
  path: string;
  text: string;
}

function sourcesOf(folder: string): Source[] {
  const found: Source[] = [];
  for (const entry of Deno.readDirSync(ROOT + folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...sourcesOf(path));
    else if (/\.ts$/.test(path) && !TEST_CODE.test(path)) {
      found.push({ path, text: Deno.readTextFileSync(ROOT + path) });
    }
  }
  return found;
}

/** Repository paths (or bare names) of what a file imports, dynamic imports included. */
function importsOf({ path, text }: Source): string[] {
  const specifiers = [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g)].map((match) => match[1]);
  return specifiers.map((name) => name.startsWith(".") ? new URL(name, `file:///${path}`).pathname.slice(1) : name);
}

/** Comments say what they like. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");

for (const [layer, allowed] of Object.entries(MAY_IMPORT)) {
  Deno.test(`${layer}/ imports only from ${allowed.join(", ")}`, () => {
    const sources = sourcesOf(layer);
    assert.ok(sources.length > 0, `no sources in ${layer}/`);
    const bad = sources.flatMap((source) =>
      importsOf(source).filter((name) => name.includes("/") && !allowed.includes(name.split("/")[0])).map((name) =>
        `${source.path}: ${name}`
      )
    );
    assert.deepEqual(bad, []);
  });

  Deno.test(`${layer}/ sees only the interfaces of host/`, () => {
    const bad = sourcesOf(layer).flatMap((source) =>
      importsOf(source).filter((name) => name.startsWith("host/") && !HOST_INTERFACES.includes(name)).map((name) =>
        `${source.path}: ${name}`
      )
    );
    assert.deepEqual(bad, []);
  });

  Deno.test(`${layer}/ does not touch Deno.*`, () => {
    const bad = sourcesOf(layer).filter((source) => /\bDeno\s*\./.test(code(source.text))).map((source) => source.path);
    assert.deepEqual(bad, []);
  });
}

Deno.test("personalities and services know the kernel only by hypercalls", () => {
  // roottask/boot.ts puts the machine together before there is anybody to call.
  const sources = ["linux", "freebsd", "fs", "roottask"].flatMap(sourcesOf).filter((source) =>
    source.path !== "roottask/boot.ts"
  );
  const bad = sources.flatMap((source) =>
    importsOf(source).filter((name) => name.startsWith("hedron/") && !KERNEL_INTERFACES.includes(name)).map((name) =>
      `${source.path}: ${name}`
    )
  );
  assert.deepEqual(bad, []);
});

Deno.test("the kernel contains no Linux error name and no path", () => {
  const bad = sourcesOf("hedron").filter((source) =>
    /\bE(PERM|NOENT|INVAL|NOSYS|FAULT|AGAIN|BADF)\b|["'`]\/(dev|proc|tmp|bin|etc)\b|errno/.test(code(source.text))
  );
  assert.deepEqual(bad.map((source) => source.path), []);
});
