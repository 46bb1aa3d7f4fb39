/** `--code-cache`: translated code is kept from run to run and changes nothing but the time. */
import assert from "node:assert/strict";
import { type Outcome, runHedra, text } from "./process.ts";
import { compile, testWith, workDirectory } from "./tools.ts";

interface Stats {
  regions: { made: number; restored: number };
}
async function runCached(
  cache: string,
  program: string,
  ...options: string[]
): Promise<{ run: Outcome; regions: Stats["regions"] }> {
  const run = await runHedra(["run", "--stats", "--json", "--code-cache", cache, ...options, program]);
  const stats: Stats = JSON.parse(text(run.stderr).trim().split("\n").at(-1)!);
  return { run, regions: stats.regions };
}
/** A directory that does not exist yet. */
const fresh = (): string => `${Deno.makeTempDirSync({ dir: workDirectory() })}/code`;
const files = (directory: string): string[] => [...Deno.readDirSync(directory)].map(({ name }) => `${directory}/${name}`);

testWith(["gcc"], "a second run uses the code of the first one and prints the same", async () => {
  const program = await compile("hot.c", "gcc"), cache = fresh();
  const first = await runCached(cache, program), second = await runCached(cache, program);
  assert.deepEqual([second.run.code, second.run.stdout], [first.run.code, first.run.stdout]);
  assert.ok(first.regions.made > 0 && first.regions.restored === 0);
  assert.ok(second.regions.restored > first.regions.made / 2 && second.regions.made < first.regions.made / 2);
  assert.equal(files(cache).length, 1);
});

testWith(["gcc"], "another level of the processor and other memory have files of their own", async () => {
  const program = await compile("hot.c", "gcc"), cache = fresh();
  const plain = await runCached(cache, program);
  for (const options of [["--cpu", "v1"], ["--memory", "256"]]) {
    const { run, regions } = await runCached(cache, program, ...options);
    assert.deepEqual([run.code, text(run.stdout), regions.restored], [0, text(plain.run.stdout), 0]);
  }
  assert.equal(files(cache).length, 3);
});

testWith(["gcc"], "files that are damaged or cannot be written are no error, and `off` writes none", async () => {
  const program = await compile("hot.c", "gcc"), cache = fresh(), { run } = await runCached(cache, program);
  const [file] = files(cache), bytes = Deno.readFileSync(file);
  for (
    const damaged of [
      bytes.subarray(0, 20),
      bytes.subarray(0, bytes.length / 2),
      bytes.map((b, n) => n % 100 === 99 ? b ^ 1 : b),
    ]
  ) {
    Deno.writeFileSync(file, damaged);
    const again = await runCached(cache, program);
    assert.deepEqual([again.run.code, text(again.run.stdout)], [0, text(run.stdout)]);
  }
  const nowhere = await runCached(`${program}/no-directory`, program);
  assert.deepEqual([nowhere.run.code, text(nowhere.run.stdout), nowhere.regions.restored], [0, text(run.stdout), 0]);
  const off = await runHedra(["run", "--code-cache", "off", program], {
    env: { HOME: workDirectory(), PATH: Deno.env.get("PATH")! },
  });
  assert.deepEqual([off.code, text(off.stdout)], [0, text(run.stdout)]);
});

testWith(["gcc"], "a cache where the guest may write is not used", async () => {
  const program = await compile("hot.c", "gcc"),
    parent = Deno.makeTempDirSync({ dir: workDirectory() }),
    cache = `${parent}/a/code`;
  Deno.symlinkSync(parent, `${parent}-link`);
  for (const granted of [["--mount", `${parent}:/m:rw`], ["--mount", `${parent}-link:/m:rw`], ["--commit", parent]]) {
    const refused = await runHedra(["run", "--code-cache", cache, ...granted, program]);
    assert.deepEqual([refused.code, text(refused.stdout)], [2, ""]);
    assert.match(text(refused.stderr), /Cannot use ".*" as --code-cache: the guest may write there/);
    const env = { PATH: Deno.env.get("PATH")!, HOME: Deno.env.get("HOME")!, HEDRA_CACHE: parent };
    assert.equal((await runHedra(["run", ...granted, program], { env })).code, 0);
  }
  assert.deepEqual(files(parent), []);
  assert.equal((await runHedra(["run", "--code-cache", cache, "--mount", `${parent}:/m`, program])).code, 0);
  assert.equal(files(cache).length, 1);
});

testWith(["gcc"], "a program that is built anew gets new code", async () => {
  const program = `${workDirectory()}/changing`, cache = fresh(), seen: string[] = [];
  for (const optimisation of ["-O2", "-Os", "-O2"]) {
    Deno.copyFileSync(await compile("hot.c", "gcc", [optimisation]), program);
    for (let n = 0; n < 2; n++) seen.push(text((await runCached(cache, program)).run.stdout));
  }
  assert.deepEqual(seen, seen.map(() => seen[0]));
});
