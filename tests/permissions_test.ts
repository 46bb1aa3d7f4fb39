/** `hedra run`: what the user grants and limits (issue: permissions). The guest is the host's own shell. */
import assert from "node:assert/strict";
import { HEDRA, runHedra, text } from "./process.ts";
import { compile, testWith, workDirectory } from "./tools.ts";

/** A script of the host's shell in the guest. */
const shell = (options: string[], script: string, env?: Record<string, string>) =>
  runHedra(["run", "--root", "/", ...options, "/bin/sh", "-c", script], { env: env && { ...Deno.env.toObject(), ...env } });

const GUESTS_THAT_STAY: readonly (readonly [what: string, script: string])[] = [
  ["a busy guest", "while :; do :; done"],
  ["a sleeping guest", "sleep 1000"],
  ["a guest that ignores signals", "trap '' TERM INT HUP; while :; do :; done"],
  ["a fork bomb", "bomb() { bomb | bomb & }; bomb; while :; do :; done"],
  ["endless output", "yes > /dev/null"],
];

for (const [what, script] of GUESTS_THAT_STAY) {
  testWith([], `--timeout ends ${what} with exit code 124`, async () => {
    const began = performance.now();
    const { code, stderr } = await shell(["--timeout", "1.5"], script);
    assert.equal(code, 124, text(stderr));
    assert.match(text(stderr), /hedra: Stopped "\/bin\/sh" after 1.5 s\n$/);
    assert.ok(performance.now() - began < 30_000);
  });
}

testWith([], "SIGINT, which is Ctrl-C, ends a run whatever its guests do", async () => {
  for (const [, script] of GUESTS_THAT_STAY) {
    const options = { signal: { name: "SIGINT", afterMs: 1500 } } as const;
    const { code } = await runHedra(["run", "--root", "/", "/bin/sh", "-c", script], options);
    assert.equal(code, 130, script);
  }
});

testWith([], "--timeout ends a guest whose output nobody reads, too", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...HEDRA.slice(1), "run", "--timeout", "1", "--root", "/", "/usr/bin/yes"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const { code } = await child.status;
  await child.stdout.cancel();
  assert.equal(code, 124);
});

testWith([], "--timeout leaves a program alone that ends in time", async () => {
  const { code, stdout } = await shell(["--timeout", "60"], "echo done; exit 3");
  assert.deepEqual([code, text(stdout)], [3, "done\n"]);
});

testWith([], "--max-procs makes fork fail with EAGAIN", async () => {
  const { code, stdout, stderr } = await shell(
    ["--max-procs", "3", "--timeout", "60"],
    "sleep 1000 & sleep 1000 & (sleep 1000) & echo not reached; wait",
  );
  assert.match(text(stderr), /Cannot fork/);
  assert.equal(text(stdout), "");
  assert.notEqual(code, 124);
});

testWith([], "--max-procs counts only what lives at the same time", async () => {
  const { code, stdout } = await shell(["--max-procs", "2", "--timeout", "60"], "for i in 1 2 3 4; do (echo $i); done");
  assert.deepEqual([code, text(stdout)], [0, "1\n2\n3\n4\n"]);
});

testWith([], "the guest gets no variable of the host by itself, one by --allow-env=K, all by --allow-env", async () => {
  const env = { HEDRA_TEST_A: "a=1", HEDRA_TEST_B: "b" }, script = "echo $HEDRA_TEST_A,$HEDRA_TEST_B";
  const seen = async (...options: string[]) => text((await shell(options, script, env)).stdout);
  assert.equal(await seen(), ",\n");
  assert.equal(await seen("--allow-env=HEDRA_TEST_A"), "a=1,\n");
  assert.equal(await seen("--allow-env"), "a=1,b\n");
  assert.equal(await seen("--allow-env", "--env", "HEDRA_TEST_B=own"), "a=1,own\n");
});

testWith([], "--strace=SET prints the calls of the set only", async () => {
  const { code, stderr } = await shell(["--strace=%process,getppid"], "(exit 3); exit 4");
  const names = new Set([...text(stderr).matchAll(/^(?:\[pid +\d+\] )?(\w+)\(/gm)].map(([, name]) => name));
  assert.equal(code, 4);
  assert.ok(names.has("execve") && names.has("wait4") && names.has("exit_group"), [...names].join());
  assert.ok(!names.has("mmap") && !names.has("openat"), [...names].join());
});

testWith([], "--strace-summary counts calls and errors once the program has ended", async () => {
  const { code, stdout, stderr } = await shell(["--strace-summary"], "cat /no/such /nor/such 2>/dev/null; echo done");
  const rows = new Map(
    [...text(stderr).matchAll(/^ *[\d.]+ +([\d.]+) +\d+ +(\d+) +(\d*) +(\w+)$/gm)]
      .map((
        [, seconds, calls, errors, name],
      ) => [name, { seconds: Number(seconds), calls: Number(calls), errors: Number(errors) }]),
  );
  assert.deepEqual([code, text(stdout)], [0, "done\n"]);
  assert.match(text(stderr), /^% time +seconds +usecs\/call +calls +errors syscall\n-+ /);
  assert.equal(rows.get("execve")?.calls, 1);
  assert.ok((rows.get("openat")?.errors ?? 0) >= 2);
  assert.ok((rows.get("wait4")?.seconds ?? 0) > 0);
  const calls = [...rows].filter(([name]) => name !== "total").map(([, row]) => row.calls);
  assert.equal(rows.get("total")?.calls, calls.reduce((sum, each) => sum + each, 0));
});

Deno.test("hedra syscalls lists every call of the table with its support, as text and as JSON", async () => {
  const table = await runHedra(["syscalls"]), json = await runHedra(["syscalls", "--json"]);
  assert.match(text(table.stdout), /^ {2}0 {2}read +full$/m);
  assert.match(text(table.stdout), /^165 {2}mount +none +EPERM$/m);
  const { version, counts, calls } = JSON.parse(text(json.stdout));
  assert.deepEqual([version, calls.length], [1, counts.full + counts.partial + counts.none]);
  assert.deepEqual(calls[0], { number: 0, name: "read", support: "full", note: "" });
});

/** A host directory with one file, one directory and one link, to be mounted at /work. */
function prepared(name: string): string {
  const path = `${workDirectory()}/${name}`;
  Deno.mkdirSync(`${path}/dir/inner`, { recursive: true });
  for (const file of ["kept", "written", "removed", "moded", "moved", "dir/inner/deep"]) {
    Deno.writeTextFileSync(`${path}/${file}`, file);
  }
  Deno.symlinkSync("kept", `${path}/link`);
  return path;
}

/** Lines of `--diff`. */
const changes = (stderr: Uint8Array): string[] => text(stderr).split("\n").filter((line) => /^[ACD] /.test(line));

const CHANGING = `cd /work; cat kept link > /dev/null; cat dir/inner/deep > /dev/null
echo more >> written; rm removed; chmod 600 moded; mv moved moved2; ln -sf written link; touch kept2; rm kept2
mkdir new; echo one > new/one; mv dir dir2; echo two > dir2/two; mkfifo pipe`;
const CHANGED = [
  "D /work/dir",
  "A /work/dir2",
  "A /work/dir2/inner",
  "A /work/dir2/inner/deep",
  "A /work/dir2/two",
  "C /work/link",
  "C /work/moded",
  "D /work/moved",
  "A /work/moved2",
  "A /work/new",
  "A /work/new/one",
  "A /work/pipe",
  "D /work/removed",
  "C /work/written",
];

testWith([], "--diff lists what the run added, changed and removed, and the host's files stay as they were", async () => {
  const directory = prepared("diff");
  const { code, stderr } = await shell(["--diff", "--mount", `${directory}:/work`], CHANGING);
  assert.deepEqual([code, changes(stderr)], [0, CHANGED]);
  assert.equal(Deno.readTextFileSync(`${directory}/written`), "written");
  assert.equal(Deno.readTextFileSync(`${directory}/removed`), "removed");
});

testWith([], "--diff of a program that only reads is empty", async () => {
  const directory = prepared("reads");
  const { code, stderr } = await shell(
    ["--diff", "--mount", `${directory}:/work`],
    "cd /work; cat kept link dir/inner/deep; ls -lR",
  );
  assert.deepEqual([code, changes(stderr)], [0, []]);
});

testWith([], "a directory made anew in place of an old one hides what that held", async () => {
  const { stderr } = await shell(
    ["--diff", "--mount", `${prepared("anew")}:/work`],
    "cd /work; rm -r dir; mkdir dir; echo x > dir/other; rm kept; mkdir kept",
  );
  assert.deepEqual(changes(stderr), ["D /work/dir/inner", "A /work/dir/other", "C /work/kept"]);
});

testWith([], "--diff --json tells kind, mode and size of each change", async () => {
  const { stderr } = await shell(
    ["--diff", "--json", "--mount", `${prepared("json")}:/work`],
    "echo abc > /work/new; chmod 640 /work/new",
  );
  assert.deepEqual(JSON.parse(text(stderr)), {
    version: 1,
    changes: [{ path: "/work/new", change: "added", kind: "file", mode: 0o640, size: 4 }],
  });
});

testWith([], "--commit saves what was changed, and a commit to a copy of the source makes it the guest's tree", async () => {
  const directory = prepared("commit"), out = `${workDirectory()}/out`;
  Deno.mkdirSync(out);
  prepared("out/work");
  const { code, stderr } = await shell(["--commit", out, "--mount", `${directory}:/work`], CHANGING.replace("; mkfifo pipe", ""));
  assert.deepEqual([code, text(stderr)], [0, ""]);
  const names = [...Deno.readDirSync(`${out}/work`)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["dir2", "kept", "link", "moded", "moved2", "new", "written"]);
  assert.equal(Deno.readTextFileSync(`${out}/work/written`), "writtenmore\n");
  assert.equal(Deno.readTextFileSync(`${out}/work/dir2/inner/deep`), "dir/inner/deep");
  assert.equal(Deno.readTextFileSync(`${out}/work/moved2`), "moved");
  assert.equal(Deno.readLinkSync(`${out}/work/link`), "written");
  assert.equal((Deno.statSync(`${out}/work/moded`).mode ?? 0) & 0o777, 0o600);
});

testWith([], "--commit never writes through a symlink that an earlier guest left", async () => {
  const outside = `${workDirectory()}/outside`, out = `${workDirectory()}/trap`, directory = prepared("trapped");
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${outside}/victim`, "safe");
  const run = (script: string) => shell(["--commit", out, "--mount", `${directory}:/work`], script);
  await run(`ln -s ${outside} /work/way; ln -s ${outside}/victim /work/file`);
  assert.equal(Deno.readLinkSync(`${out}/work/way`), outside);
  await run("mkdir /work/way; echo taken > /work/way/victim; echo taken > /work/file; echo taken > /work/way/fresh");
  assert.equal(Deno.readTextFileSync(`${outside}/victim`), "safe");
  assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["victim"]);
  assert.equal(Deno.readTextFileSync(`${out}/work/way/victim`), "taken\n");
});

testWith([], "--commit drops set-user-id bits and says what it cannot save", async () => {
  const out = `${workDirectory()}/bits`, directory = prepared("special");
  const { code, stderr } = await shell(
    ["--commit", out, "--mount", `${directory}:/work`],
    "mkfifo /work/pipe; cp /bin/true /work/tool; chmod 4755 /work/tool; mkdir /work/shut; echo x > /work/shut/x; chmod 500 /work/shut",
  );
  assert.equal(code, 1);
  assert.equal(text(stderr), 'hedra: Cannot save "/work/pipe": neither a file, a directory nor a symlink\n');
  assert.equal((Deno.statSync(`${out}/work/tool`).mode ?? 0) & 0o7777, 0o755);
  assert.equal((Deno.statSync(`${out}/work/shut`).mode ?? 0) & 0o777, 0o500);
  assert.deepEqual(Deno.readFileSync(`${out}/work/tool`), Deno.readFileSync("/bin/true"));
});

testWith([], "hedra caps shows each grant as a capability that roottask passed to the personality", async () => {
  const directory = prepared("caps");
  const options = [
    "--root",
    "/",
    "--mount",
    `${directory}:/work:rw`,
    "--env",
    "A=1",
    "--allow-env=B",
    "--max-procs",
    "5",
    "--timeout",
    "50",
  ];
  const { stdout, stderr } = await runHedra(["caps", "--json", ...options, "/bin/true"]);
  const { pds, capabilities } = JSON.parse(text(stdout)) as {
    pds: { id: number; label: string }[];
    capabilities: { pd: number; selector: number; object: number; label?: string; from?: { pd: number } }[];
  };
  const linux = pds.find(({ label }) => label === "linux")?.id, roottask = pds.find(({ label }) => label === "roottask")?.id;
  assert.ok(linux !== undefined && roottask !== undefined, text(stderr));
  assert.equal(
    capabilities.filter(({ pd, selector, from }) =>
      pd === linux && selector >= 0x400 && selector < 0x800 && from?.pd === roottask
    ).length,
    7,
  );

  const shown = text((await runHedra(["caps", "--pd", "linux", ...options, "/bin/true"])).stdout);
  for (
    const grant of [
      "root / ro, changes stay in memory",
      `mount ${directory} at /work rw`,
      "env A",
      "allow-env B",
      "memory 2048 MiB",
      "max-procs 5",
      "timeout 50 s",
    ]
  ) assert.match(shown, new RegExp(`PT  call +grant: ${RegExp.escape(grant)} +from roottask \\d+\n`));
});

/** What a program that takes all of something is told, as Linux would; `limits` keep the test short. */
const HOGS: readonly (readonly [what: string, answer: string, ...limits: string[]])[] = [
  ["descriptors", "Too many open files"],
  ["pipes", "Too many open files"],
  // Children that get to run take memory of their own: enough for all of them.
  ["children", "Resource temporarily unavailable", "--max-procs", "50", "--memory", "1024"],
  ["zombies", "Resource temporarily unavailable", "--max-procs", "50"],
  ["disk", "No space left on device"],
  ["arguments", "Argument list too long"],
  ["argument", "Argument list too long"],
];

for (const [what, answer, ...limits] of HOGS) {
  testWith(["gcc"], `a guest that takes all ${what} gets the right errno and lives on`, async () => {
    const program = await compile("hog.c", "gcc");
    const { code, stdout } = await runHedra(["run", "--memory", "128", "--timeout", "60", ...limits, program, what]);
    assert.deepEqual([code, text(stdout)], [0, `${what}: ${answer}\n`]);
  });
}

for (const how of ["memory", "reading"]) {
  testWith(["gcc"], `a guest that takes all memory (${how}) is killed, and the others go on`, async () => {
    const program = await compile("hog.c", "gcc"), at = program.lastIndexOf("/");
    const { code, stdout } = await shell(
      ["--memory", "256", "--timeout", "60", "--mount", `${program.slice(0, at)}:/hogs`],
      `/hogs/${program.slice(at + 1)} ${how}; echo $?; echo alive | cat`,
    );
    assert.deepEqual([code, text(stdout)], [0, "137\nalive\n"]);
  });
}

for (const right of ["ro", "rw"]) {
  testWith(
    ["gcc"],
    `no hostile program leaves its root (${right}) by "..", links, /proc, chroot, moved directories or races`,
    async () => {
      const outside = `${workDirectory()}/outside-${right}`, root = `${outside}/root`;
      Deno.mkdirSync(root, { recursive: true });
      Deno.writeTextFileSync(`${outside}/secret`, "host only\n");
      Deno.copyFileSync(await compile("escape.c", "gcc"), `${root}/escape`);
      Deno.symlinkSync("../secret", `${root}/planted-file`);
      Deno.symlinkSync(`${outside}/secret`, `${root}/planted-absolute`);
      Deno.symlinkSync("..", `${root}/planted-directory`);
      const { code, stdout } = await runHedra([
        "run",
        "--timeout",
        "60",
        "--root",
        `${root}:${right}`,
        "/escape",
        outside,
        "secret",
      ]);
      assert.match(text(stdout), /^tried \d{3,} ways\n$/);
      assert.equal(code, 0);
    },
  );
}
