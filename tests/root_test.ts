import assert from "node:assert/strict";
import { execute, runHedra, text } from "./process.ts";
import { testWith, workDirectory } from "./tools.ts";

/** Copies programs of this machine with the libraries that they are linked with to a fresh root; gives its path. */
async function rootWith(...programs: string[]): Promise<string> {
  const root = Deno.makeTempDirSync({ dir: workDirectory() });
  for (const name of programs) {
    const found = text((await execute("sh", ["-c", `readlink -f "$(command -v ${name})"`])).stdout).trim();
    const libraries = text((await execute("ldd", [found])).stdout).match(/\/\S+/g) ?? [];
    for (const [from, to] of [[found, `/bin/${name}`], ...libraries.map((library) => [library, library])]) {
      Deno.mkdirSync(`${root}${to}`.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.copyFileSync(from, `${root}${to}`);
    }
  }
  return root;
}

function script(root: string, name: string, content: string): void {
  Deno.writeTextFileSync(`${root}/bin/${name}`, content, { mode: 0o755 });
}

testWith([], "a dynamically linked program of this machine runs in a root that has its libraries", async () => {
  const root = await rootWith("ls");
  const outcome = await runHedra(["run", "--root", root, "/bin/ls", "-1", "/bin"]);
  assert.deepEqual([outcome.code, text(outcome.stdout), text(outcome.stderr)], [0, "ls\n", ""]);
});

testWith([], "a script runs with the interpreter of its first line", async () => {
  const root = await rootWith("bash");
  script(root, "greet", '#!/bin/bash -u\necho "$0" "$1" "$#" "$-"\nexit 5\n');
  const outcome = await runHedra(["run", "--root", root, "/bin/greet", "a b"]);
  assert.equal(outcome.code, 5, text(outcome.stderr));
  assert.match(text(outcome.stdout), /^\/bin\/greet a b 1 \w*u\w*\n$/);
});

testWith([], "programs of a root pipe to each other and get their own exit codes", async () => {
  const root = await rootWith("bash", "cat", "seq", "wc");
  const outcome = await runHedra([
    "run",
    "--root",
    root,
    "/bin/bash",
    "-c",
    "seq 1 1000 | cat | wc -l; cat /missing 2>&1; echo $?; kill -9 $$",
  ]);
  assert.equal(text(outcome.stdout), "1000\ncat: /missing: No such file or directory\n1\n");
  assert.equal(outcome.code, 137);
});

testWith([], "a missing interpreter is named", async () => {
  const root = await rootWith("cat");
  script(root, "lost", "#!/bin/nowhere\n");
  const outcome = await runHedra(["run", "--root", root, "/bin/lost"]);
  assert.deepEqual([outcome.code, text(outcome.stderr)], [
    127,
    'hedra: Cannot run "/bin/lost": its interpreter /bin/nowhere is missing\n',
  ]);
});

testWith([], "a dynamically linked program without its loader gives 127 and names it", async () => {
  const root = await rootWith("cat");
  Deno.removeSync(`${root}/lib64`, { recursive: true });
  const outcome = await runHedra(["run", "--root", root, "/bin/cat"]);
  assert.deepEqual([outcome.code, text(outcome.stderr)], [
    127,
    'hedra: Cannot run "/bin/cat": its interpreter /lib64/ld-linux-x86-64.so.2 is missing\n',
  ]);
});

testWith([], "a root may be a gzipped tar archive, and the guest can write in it", async () => {
  const root = await rootWith("bash", "cat"), archive = `${workDirectory()}/root.tar.gz`;
  assert.equal((await execute("tar", ["-C", root, "-czf", archive, "."])).code, 0);
  const before = Deno.readFileSync(archive);
  const outcome = await runHedra(["run", "--root", archive, "/bin/bash", "-c", "echo new > /file; cat /file"]);
  assert.deepEqual([outcome.code, text(outcome.stdout), text(outcome.stderr)], [0, "new\n", ""]);
  assert.deepEqual(Deno.readFileSync(archive), before);
});

testWith([], "/proc and /sys can be working directories", async () => {
  const root = await rootWith("bash", "cat", "ls");
  const script = "cd /proc/self; cat comm; cd fd; ls -d 0; cd ../../..; pwd -P; cd /sys/devices; ls; cd ..; pwd -P; " +
    "cd /proc; ls -d self; cd self/cwd/sys/kernel; cat ostype; cd nope 2> /dev/null; echo $?; cd ../../../bin; ls -d cat";
  const outcome = await runHedra(["run", "--root", root, "/bin/bash", "-c", script]);
  assert.equal(text(outcome.stdout), "bash\n0\n/\nsystem\n/sys\nself\nLinux\n1\ncat\n");
});

testWith([], "pipes and sockets can be made in a granted directory; the host does not see them", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const script =
      "cd /m; mkfifo f; mkdir d; mkfifo d/g; (echo through >f &); cat f; mv f moved; rmdir d 2>/dev/null || echo full;" +
      "rm d/g; rmdir d; test -p moved && ls; ln -s target link; touch -h -d @1000 link; stat -c %Y link; chmod 600 moved; stat -c %a moved";
    const guest = await runHedra(["run", "--root", "/", "--mount", `${directory}:/m:rw`, "/bin/sh", "-c", script]);
    assert.equal(text(guest.stderr), "");
    assert.equal(text(guest.stdout), "through\nfull\nmoved\n1000\n600\n");
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["link"]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
