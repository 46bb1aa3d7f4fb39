import { equal } from "node:assert/strict";
import { type BundleSources, fileState, isBundleFresh, SOURCES, SOURCES_VERSION } from "./fresh_bundle.ts";

/** Calls `use` with a directory that holds two sources and the record of a bundle made from them. */
function withBundle(use: (root: string) => void, version: number = SOURCES_VERSION): void {
  const root = Deno.makeTempDirSync();
  try {
    for (const name of ["a.ts", "b.ts"]) Deno.writeTextFileSync(`${root}/${name}`, name);
    Deno.mkdirSync(`${root}/dist`);
    const sources = { version: version as typeof SOURCES_VERSION, files: ["a.ts", "b.ts"].map((name) => fileState(root, name)) };
    Deno.writeTextFileSync(`${root}/${SOURCES}`, JSON.stringify(sources satisfies BundleSources));
    use(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("a bundle of unchanged sources is fresh", () => withBundle((root) => equal(isBundleFresh(root), true)));
Deno.test("a bundle is stale when a source has another size, another time, or is gone", () => {
  withBundle((root) => {
    const { mtime } = Deno.statSync(`${root}/b.ts`);
    Deno.writeTextFileSync(`${root}/b.ts`, "longer");
    Deno.utimeSync(`${root}/b.ts`, mtime!, mtime!);
    equal(isBundleFresh(root), false);
  });
  withBundle((root) => {
    Deno.utimeSync(`${root}/b.ts`, 1, 1);
    equal(isBundleFresh(root), false);
  });
  withBundle((root) => {
    Deno.removeSync(`${root}/b.ts`);
    equal(isBundleFresh(root), false);
  });
});
Deno.test("there is no fresh bundle without its record, or with one of another version", () => {
  withBundle((root) => equal(isBundleFresh(root), false), SOURCES_VERSION + 1);
  withBundle((root) => {
    Deno.removeSync(`${root}/${SOURCES}`);
    equal(isBundleFresh(root), false);
  });
});
