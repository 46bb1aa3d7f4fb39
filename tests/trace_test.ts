import assert from "node:assert/strict";
import { committedGuests } from "../guests/build.ts";
import { runHedra, text } from "./process.ts";
import { workDirectory } from "./tools.ts";

function guest(name: string): string {
  const path = `${workDirectory()}/${name}`, member = committedGuests().get(`bin/${name}`);
  assert.ok(member, `boot.tar has no ${name}`);
  Deno.writeFileSync(path, member.bytes, { mode: 0o755 });
  return path;
}

Deno.test("hedra trace tells the calls and the startup of a hyperapp, with partners", async () => {
  const { code, stdout, stderr } = await runHedra(["trace", guest("hello")]);
  assert.equal(code, 0);
  assert.match(text(stderr), /hello/i);
  assert.match(text(stdout), /hello\S* +exception startup selector 0x1e -> roottask/);
  assert.match(text(stdout), /hello\S* +ipc +call selector 0x24 -> roottask, .*stdout of process 1/);
  assert.match(text(stdout), /roottask\S* +hypercall create_sc /);
});

Deno.test("hedra trace -o writes JSON for Perfetto in which every arrow has two ends and the foreign calls are there", async () => {
  const path = `${workDirectory()}/trace.json`;
  const { code, stderr } = await runHedra(["trace", "-o", path, guest("matrix"), "2"]);
  assert.equal(code, 0);
  assert.match(text(stderr), /\d+ foreign/);
  const { traceEvents } = JSON.parse(Deno.readTextFileSync(path)) as {
    traceEvents: { ph: string; cat?: string; dur?: number }[];
  };
  const count = (ph: string) => traceEvents.filter((each) => each.ph === ph).length;
  assert.equal(count("s"), count("f"));
  assert.ok(count("s") > 10);
  assert.ok(traceEvents.some((each) => each.cat === "foreign" && (each.dur ?? -1) >= 0));
});

Deno.test("hedra caps --pd shows one domain, --dot a graph, and an unknown domain is refused", async () => {
  const program = guest("hello"), one = await runHedra(["caps", "--pd", "hello", program]);
  assert.match(text(one.stdout), /^PD \d+ hello[^]*stdout of process 1 +from roottask \d+\n/);
  assert.doesNotMatch(text(one.stdout), /^PD \d+ fs/m);
  const dot = await runHedra(["caps", "--dot", program]);
  assert.match(text(dot.stdout), /^digraph capabilities \{[^]*-> \d+ \[label="\d+ PT call"\];[^]*\}\n$/);
  const none = await runHedra(["caps", "--pd", "nobody", program]);
  assert.match(text(none.stderr), /Cannot show PD "nobody": there are kern, roottask/);
  assert.equal(none.code, 1);
});
