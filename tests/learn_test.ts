/** `hedra run --learn`: what a program did not get, and the options that would have granted it. */
import assert from "node:assert/strict";
import { runHedra, text } from "./process.ts";
import { compile, testWith, workDirectory } from "./tools.ts";

interface Report {
  version: number;
  lessons: { what: string; value: string; program: string; times: number; option?: string }[];
  options: string[];
}

testWith(
  ["gcc"],
  "--learn=FILE writes which places of the network were refused, and one option for all of them",
  async () => {
    const file = `${workDirectory()}/learned.json`, program = await compile("outside.c", "gcc");
    const orders = ["tcp", "192.0.2.1", "80", "tcp", "2001:db8::1", "81", "tcp", "192.0.2.1", "80"];
    const { code, stderr } = await runHedra([
      "run",
      "--timeout",
      "60",
      `--learn=${file}`,
      "--allow-net=192.0.2.9",
      program,
      ...orders,
    ]);
    const { version, lessons, options } = JSON.parse(Deno.readTextFileSync(file)) as Report;
    assert.deepEqual([code, version, options[0]], [0, 1, "--allow-net=192.0.2.9,192.0.2.1:80,[2001:db8::1]:81"], text(stderr));
    assert.deepEqual(lessons.filter(({ what }) => what === "connect").map(({ value, times }) => [value, times]), [
      ["192.0.2.1:80", 2],
      ["[2001:db8::1]:81", 1],
    ]);
    assert.match(
      text(stderr),
      /^hedra: What programs asked for.*\n.* {2}network +192\.0\.2\.1:80 \(2 times\), outside-gcc: --allow-net=192/s,
    );
  },
);

testWith([], "--learn names files that the host has and the guest has not, and the program that missed them", async () => {
  const { stderr } = await runHedra(
    [
      "run",
      "--timeout",
      "60",
      "--learn",
      "--json",
      "--max-procs",
      "1",
      "--root",
      "/bin",
      "--mount",
      "/lib:/lib",
      "--mount",
      "/lib64:/lib64",
      "/sh",
      "-c",
      ": < /etc/passwd; : < /nowhere; (:)",
    ],
  );
  const { lessons, options } = JSON.parse(text(stderr).replace(/^[^{]*/, "")) as Report;
  const told = (what: string) => lessons.filter((each) => each.what === what).map(({ value, program }) => `${program} ${value}`);
  assert.ok(told("file").includes("sh /etc/passwd") && !told("file").includes("sh /nowhere"), text(stderr));
  assert.ok(options.includes("--mount /etc:/etc"), text(stderr));
});

testWith(["gcc"], "--learn tells of tasks that were used up", async () => {
  const program = await compile("hog.c", "gcc");
  const { stderr } = await runHedra(["run", "--timeout", "60", "--learn", "--max-procs", "20", program, "children"]);
  assert.match(text(stderr), / {2}tasks +more than 20, hog-gcc: --max-procs 40\n/);
});
