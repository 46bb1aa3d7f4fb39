import assert from "node:assert/strict";
import { SYSCALLS } from "../freebsd/syscalls/table.ts";
import { execute, runHedra, text } from "./process.ts";
import { testWith, workDirectory } from "./tools.ts";

const RAW = new URL("testdata/freebsd/raw", import.meta.url).pathname;
const SOURCES = new URL("programs/freebsd/", import.meta.url).pathname;

const RAW_OUTPUT = `Hello from FreeBSD
an error sets the carry flag
a signal handler ran and returned
a second thread woke the first
`;

Deno.test("a FreeBSD program without a C library uses calls, errors, signals and threads", async () => {
  const outcome = await runHedra(["run", RAW]);
  assert.deepEqual([outcome.code, text(outcome.stdout), text(outcome.stderr)], [3, RAW_OUTPUT, ""]);
});

testWith(["gcc"], "the committed FreeBSD program is what its source says", async () => {
  const file = `${workDirectory()}/raw`;
  const flags = ["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-s"];
  assert.equal((await execute("gcc", [...flags, `${SOURCES}raw.S`, "-o", file])).code, 0);
  assert.equal(text((await runHedra(["run", file])).stdout), RAW_OUTPUT);
});

const hasGo = await execute("go", ["version"]).then(({ code }) => code === 0, () => false);

Deno.test("Go's runtime for FreeBSD runs: goroutines, garbage collection, signals, timers, files", async () => {
  if (!hasGo) return console.log("skipped: no Go compiler");
  const file = `${workDirectory()}/go-freebsd`;
  const env = { ...Deno.env.toObject(), GOOS: "freebsd", GOARCH: "amd64", CGO_ENABLED: "0" };
  const built = await execute("go", ["build", "-o", file, "."], { cwd: SOURCES, env });
  assert.equal(built.code, 0, text(built.stderr));
  const { code, stdout, stderr } = await runHedra(["run", file, "one", "two"]);
  assert.equal(text(stderr), "");
  assert.equal(
    text(stdout),
    `hello from freebsd amd64 3
sum 333833500
map 5000 3901680 gc true
recovered: runtime error: invalid memory address or nil pointer dereference
slept true
<nil> file text <nil> DONE
open /none: no such file or directory
1 <nil>
pipe 300000 <nil>
`,
  );
  assert.equal(code, 7);
});

Deno.test("Go's os/exec, net, net/http and os/signal do under FreeBSD what they do natively", async () => {
  if (!hasGo) return console.log("skipped: no Go compiler");
  const build = async (name: string, target: Record<string, string>): Promise<string> => {
    const file = `${workDirectory()}/${name}`, env = { ...Deno.env.toObject(), ...target, CGO_ENABLED: "0" };
    const built = await execute("go", ["build", "-o", file, "./network"], { cwd: SOURCES, env });
    assert.equal(built.code, 0, text(built.stderr));
    return file;
  };
  const [native, freebsd] = await Promise.all([
    build("go-native", {}).then((file) => execute(file, [])),
    build("go-freebsd-network", { GOOS: "freebsd", GOARCH: "amd64" }).then((file) => runHedra(["run", "--timeout", "60", file])),
  ]);
  assert.equal(text(freebsd.stderr), "");
  assert.equal(text(freebsd.stdout), text(native.stdout));
  assert.match(text(native.stdout), /echoes 500\n.*200 GET .*done\n$/s);
  assert.deepEqual([freebsd.code, native.code], [0, 0]);
});

Deno.test("each FreeBSD system call has one number and one name", () => {
  assert.equal(new Set(SYSCALLS.map(({ number }) => number)).size, SYSCALLS.length);
  assert.equal(new Set(SYSCALLS.map(({ name }) => name)).size, SYSCALLS.length);
});
