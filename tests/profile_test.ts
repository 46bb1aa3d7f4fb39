import assert from "node:assert/strict";
import { runHedra, text } from "./process.ts";
import { compile, testWith, workDirectory } from "./tools.ts";

testWith(["gcc"], "hedra profile finds the hot function and who called it", async () => {
  const program = await compile("hot.c", "gcc"), file = `${workDirectory()}/hot.folded`;
  const run = await runHedra(["profile", "-o", file, program]);
  assert.equal(run.code, 0, text(run.stderr));
  const times = new Map<string, number>();
  let all = 0;
  for (const line of Deno.readTextFileSync(file).trim().split("\n")) {
    const [, stack, time] = /^(.*) (\d+)$/.exec(line)!;
    const leaf = stack.split(";").slice(-3).join(";");
    times.set(leaf, (times.get(leaf) ?? 0) + Number(time));
    all += Number(time);
  }
  const share = (stack: string) => (times.get(stack) ?? 0) / all;
  const hot = share("main;middle;hot_inner"), cool = share("main;middle;cool_inner");
  assert.ok(hot > 0.5 && hot < 0.8, `hot ${hot}, cool ${cool}`);
  assert.ok(cool > 0.2 && cool < 0.45, `hot ${hot}, cool ${cool}`);
  assert.match(text(run.stderr), /hot_inner {2}\(hot-gcc\)/);
});

testWith(["gcc"], "hedra profile --format speedscope writes a file that fits the schema's rules", async () => {
  const program = await compile("hot.c", "gcc"), file = `${workDirectory()}/hot.json`;
  assert.equal((await runHedra(["profile", "--format", "speedscope", "-o", file, program])).code, 0);
  const { $schema, shared, profiles: [profile] } = JSON.parse(Deno.readTextFileSync(file));
  assert.equal($schema, "https://www.speedscope.app/file-format-schema.json");
  assert.equal(profile.samples.length, profile.weights.length);
  assert.equal(profile.endValue, profile.weights.reduce((a: number, b: number) => a + b, 0));
  assert.ok(profile.samples.flat().every((n: number) => shared.frames[n] !== undefined));
});

testWith(["gcc"], "hedra run --stats tells what the processor did, on stderr", async () => {
  const program = await compile("hot.c", "gcc");
  const plain = await runHedra(["run", program]), run = await runHedra(["run", "--stats", program]);
  assert.deepEqual([run.code, run.stdout], [plain.code, plain.stdout]);
  for (const row of [/^interpreter +about [\d,]+ instructions/m, /^ {2}compile time/m, /^system calls +\d+$/m]) {
    assert.match(text(run.stderr), row);
  }
  const stats = JSON.parse(text((await runHedra(["run", "--stats", "--json", program])).stderr));
  assert.equal(stats.version, 1);
  // 300 * 600,000 turns of loops, all but a few in regions: one poll for each 1024.
  assert.ok(stats.regions.polls > 150_000, stats.regions.polls);
  assert.ok(stats.interpreter.instructions < 1_000_000, stats.interpreter.instructions);
  assert.ok(stats.syscalls > 5);
});
