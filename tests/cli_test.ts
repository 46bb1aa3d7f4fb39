import assert from "node:assert/strict";
import { committedGuests } from "../guests/build.ts";
import { execute, type Outcome, runHedra, type RunOptions, text } from "./process.ts";
import { compile, testWith, workDirectory } from "./tools.ts";

/** A file with these bytes; executable unless told otherwise. */
function file(name: string, bytes: Uint8Array | string, mode = 0o755): string {
  const path = `${workDirectory()}/${name}`;
  Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  Deno.chmodSync(path, mode);
  return path;
}

/** One of our own guests as a file. */
function guest(name: string): string {
  const member = committedGuests().get(`bin/${name}`);
  assert.ok(member, `boot.tar has no ${name}`);
  return file(name, member.bytes);
}

/** A good ELF file with one change. */
function spoiled(name: string, change: (bytes: Uint8Array, view: DataView) => Uint8Array | void): string {
  const bytes = new Uint8Array(Deno.readFileSync(guest("matrix")));
  return file(name, change(bytes, new DataView(bytes.buffer)) ?? bytes);
}

const expectExit = (outcome: Outcome, code: number, stderr: RegExp) => {
  assert.match(text(outcome.stderr), stderr);
  assert.equal(outcome.code, code);
};

/** Refused: this exit code and exactly one line on stderr that says so, nothing on stdout. */
async function expectRefusal(args: string[], code: number, line: RegExp, options: RunOptions = {}): Promise<void> {
  const outcome = await runHedra(args, options);
  expectExit(outcome, code, line);
  assert.match(text(outcome.stderr), /^hedra: [^\n]+\n$/);
  assert.equal(text(outcome.stdout), "");
}

// ---- usage ----

const USAGE_ERRORS: readonly (readonly [args: string[], line: RegExp])[] = [
  [["frobnicate"], /unknown command 'frobnicate'/],
  [["run"], /missing required argument 'program'/],
  [["run", "--frob", "x"], /unknown option '--frob'/],
  [["run", "--memory"], /argument missing/],
  [["run", "--memory", "12", "x"], /Cannot use "12" as --memory/],
  [["run", "--memory", "many", "x"], /Cannot use "many" as --memory/],
  [["run", "--memory", "99999999", "x"], /Cannot use "99999999" as --memory/],
  [["run", "--env", "novalue", "x"], /Cannot use "novalue" as --env: expected K=V/],
  [["run", "--mount", "/tmp", "x"], /Cannot use "\/tmp" as --mount: expected HOST:GUEST/],
  [["run", "--mount", "/tmp:tmp", "x"], /the guest path must be absolute/],
  [["run", "--root", ":rw", "x"], /Cannot use ":rw" as --root/],
  [["run", "--cwd", "here", "x"], /Cannot use "here" as --cwd/],
  [["run", "--kind", "windows", "x"], /Cannot use "windows" as --kind/],
  [["run", "--strace=frobnicate", "/bin/sh"], /Cannot use "frobnicate" as --strace: Linux has no system call "frobnicate"/],
  [["run", "--strace=%frob", "/bin/sh"], /Cannot use "%frob" as --strace: "%frob" is none of %file, /],
  [["run", "--max-procs", "0", "x"], /Cannot use "0" as --max-procs/],
  [["run", "--timeout", "soon", "x"], /Cannot use "soon" as --timeout/],
  [["run", "--timeout", "0", "x"], /Cannot use "0" as --timeout/],
  [["run", "--allow-env=A=1", "x"], /Cannot use "A=1" as --allow-env/],
  [["run", "--allow-net=good,http://bad", "x"], /Cannot use "http:\/\/bad" as --allow-net/],
  [["boot"], /required option '--roottask/],
  [["boot", "--roottask", "x", "--timeout", "soon"], /Cannot use "soon" as --timeout/],
  [["demo", "extra"], /Allowed choices are programs, services/],
  [["demo", "services", "extra"], /too many arguments/],
];
for (const [args, line] of USAGE_ERRORS) {
  Deno.test(`hedra ${args.join(" ")} is a usage error`, () => expectRefusal(args, 2, line));
}

Deno.test("hedra without a command prints the help and fails", async () => {
  const outcome = await runHedra([]);
  expectExit(outcome, 2, /Usage: hedra/);
});

for (const args of [["--help"], ["run", "--help"], ["help", "run"], ["ps", "--help"], ["demo", "--help"]]) {
  Deno.test(`hedra ${args.join(" ")} prints help on stdout`, async () => {
    const outcome = await runHedra(args);
    expectExit(outcome, 0, /^$/);
    assert.match(text(outcome.stdout), /Usage: hedra/);
  });
}

Deno.test("the help shows examples and the exit codes", async () => {
  const help = text((await runHedra(["--help"])).stdout);
  assert.match(help, /Examples:\n {2}hedra demo/);
  assert.match(help, /126 not executable, 127 not found/);
});

Deno.test("hedra --version prints the version of deno.json", async () => {
  const { version } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  assert.equal(text((await runHedra(["--version"])).stdout), `${version}\n`);
});

// ---- programs that cannot be started ----

const BAD_FILES: readonly (readonly [what: string, make: () => string, code: number, line: RegExp])[] = [
  ["a missing file", () => "./no-such-program", 127, /Cannot run "\.\/no-such-program": no such file/],
  ["an unknown bare name", () => "no-such-program-anywhere", 127, /no such file/],
  ["an overlong name", () => "x".repeat(300), 126, /": file name too long$/m],
  ["an empty name", () => "", 127, /Cannot run "": no such file/],
  ["a directory", () => workDirectory(), 126, /is a directory/],
  ["a device", () => "/dev/null", 126, /not a regular file/],
  ["a file below a file", () => `${guest("hello")}/x`, 126, /not a directory on the way/],
  ["a file without execute bit", () => file("plain", Deno.readFileSync(guest("matrix")), 0o644), 126, /permission denied/],
  ["an empty file", () => file("empty", ""), 126, /the file is empty/],
  ["text", () => file("text", "hello there\n"), 126, /not an ELF file/],
  ["a short ELF header", () => spoiled("short", (bytes) => bytes.slice(0, 40)), 126, /truncated ELF header/],
  [
    "a 32-bit program",
    () => spoiled("bits32", (bytes, view) => (bytes[4] = 1, view.setUint16(18, 3, true), undefined)),
    126,
    /32-bit/,
  ],
  ["an AArch64 program", () => spoiled("arm", (_, view) => view.setUint16(18, 183, true)), 126, /made for AArch64, not x86-64/],
  ["a big-endian file", () => spoiled("big", (bytes) => (bytes[5] = 2, undefined)), 126, /big-endian/],
  ["an object file", () => spoiled("object", (_, view) => view.setUint16(16, 1, true)), 126, /not an executable/],
  ["no program headers", () => spoiled("none", (_, view) => view.setUint16(56, 0, true)), 126, /no program headers/],
  [
    "many program headers",
    () => spoiled("many", (_, view) => view.setUint16(56, 65535, true)),
    126,
    /absurd number of program headers/,
  ],
  [
    "headers beyond the end",
    () => spoiled("beyond", (_, view) => view.setUint32(32, 0x7fff_0000, true)),
    126,
    /truncated: program headers/,
  ],
  ["a cut-off file", () => spoiled("cut", (bytes) => bytes.slice(0, 8192)), 126, /truncated: a segment/],
  [
    "a segment in the kernel's half",
    () => spoiled("high", (_, view) => view.setUint32(64 + 20, 0xffff_0000, true)),
    126,
    /absurd segment address/,
  ],
  [
    "more bytes in the file than in memory",
    () => spoiled("memsz", (_, view) => view.setUint32(64 + 40, 0, true)),
    126,
    /absurd segment/,
  ],
  [
    "an entry outside all segments",
    () => spoiled("entry", (_, view) => view.setUint32(24, 0x1234_5678, true)),
    126,
    /absurd entry point/,
  ],
  ["a script", () => file("script", "#!/bin/sh\necho hello\n"), 127, /its interpreter \/bin\/sh is not visible/],
];
for (const [what, make, code, line] of BAD_FILES) {
  Deno.test(`run refuses ${what} in one line`, () => expectRefusal(["run", make()], code, line));
}

testWith(["gcc"], "run refuses a dynamically linked program without a root and names the interpreter", async () => {
  const source = file("dynamic.c", "int main(void) { return 0; }\n");
  const program = `${workDirectory()}/dynamic`;
  assert.equal((await execute("gcc", [source, "-o", program])).code, 0);
  await expectRefusal(["run", program], 127, /its interpreter \/lib64\/ld-linux-x86-64\.so\.2 is not visible in the guest/);
});

Deno.test("run refuses a root that does not exist", () =>
  expectRefusal(["run", "--root", "/no/such/root", "/bin/x"], 1, /Cannot open root "\/no\/such\/root": no such/));
Deno.test("run refuses a root that is neither a directory nor a tar archive", () =>
  expectRefusal(["run", "--root", file("notar", "x".repeat(2000)), "/bin/x"], 1, /neither a directory nor a tar archive/));
Deno.test("run refuses a writable tar archive", () =>
  expectRefusal(
    ["run", "--root", `${new URL("../guests/boot.tar", import.meta.url).pathname}:rw`, "/bin/x"],
    2,
    /a tar archive cannot be written/,
  ));
Deno.test("run refuses a mount that does not exist", () =>
  expectRefusal(["run", "--mount", "/no/such:/mnt", guest("matrix")], 1, /Cannot mount "\/no\/such": no such/));
Deno.test("a missing working directory is named", () =>
  expectRefusal(
    ["run", "--cwd", "/nowhere", guest("matrix"), "2"],
    127,
    /Cannot run "\/matrix": working directory "\/nowhere": no such file/,
  ));

Deno.test("a program missing in the root gives 127", () =>
  expectRefusal(["run", "--root", workDirectory(), "/bin/missing"], 127, /Cannot run "\/bin\/missing": no such file/));
Deno.test("a directory in the root gives 126", () =>
  expectRefusal(
    ["run", "--root", new URL("../guests/boot.tar", import.meta.url).pathname, "/bin"],
    126,
    /Cannot run "\/bin": is a directory/,
  ));

// ---- streams, arguments, exit codes ----

const BOOT_TAR = new URL("../guests/boot.tar", import.meta.url).pathname;

Deno.test("options after PROGRAM belong to the guest", async () => {
  const outcome = await runHedra(["run", guest("auxv"), "--help", "--memory", "3", "--", "-x"]);
  expectExit(outcome, 0, /^$/);
  assert.match(text(outcome.stdout), /argv\[1\] --help\nargv\[2\] --memory\nargv\[3\] 3\nargv\[4\] --\nargv\[5\] -x\n/);
});

Deno.test("-- ends Hedra's options", async () => {
  const outcome = await runHedra(["run", "--env", "A=1", "--", guest("auxv"), "-V"]);
  assert.match(text(outcome.stdout), /argv\[1\] -V\n[^]*envp\[\d+\] A=1\n/);
});

Deno.test("the guest sees LINUX_UNDER_HEDRON and what --env gives, nothing else of the host", async () => {
  const outcome = await runHedra(["run", "--env", "ONE=1", "--env=TWO=a=b", guest("auxv")], {
    env: { ...Deno.env.toObject(), HEDRA_SECRET: "x" },
  });
  const names = [...text(outcome.stdout).matchAll(/envp\[\d+\] (\w+)=/g)].map((match) => match[1]);
  assert.deepEqual(names.sort(), ["HOME", "LINUX_UNDER_HEDRON", "ONE", "PATH", "TWO"]);
});

Deno.test("--root takes a tar archive", async () => {
  const outcome = await runHedra(["run", "--root", BOOT_TAR, "/bin/matrix", "3"]);
  expectExit(outcome, 0, /^$/);
  assert.match(text(outcome.stdout), /^n 3 check [0-9a-f]{16}/m);
});

for (const [kind, report] of [["hyperapp", /page fault/], ["linux", /SIGSEGV/]] as const) {
  Deno.test(`--kind ${kind} decides how the program is started, whatever its file says`, async () => {
    expectExit(await runHedra(["run", "--kind", kind, guest("crash")]), 139, report);
  });
}

/** A fresh directory of the host with one file. */
function hostDirectory(): string {
  const path = Deno.makeTempDirSync({ dir: workDirectory() });
  Deno.writeTextFileSync(`${path}/note`, "from the host\n");
  return path;
}

const shell = (options: string[], script: string): Promise<Outcome> =>
  runHedra(["run", ...options, "busybox", "sh", "-c", script]);
const SHOW_AND_CHANGE = "read line < /data/note; echo $line; echo changed > /data/note; read line < /data/note; echo $line";

testWith(["busybox"], "a mounted directory is visible, and changes stay in memory", async () => {
  const host = hostDirectory();
  const outcome = await shell(["--mount", `${host}:/data`], SHOW_AND_CHANGE);
  expectExit(outcome, 0, /^$/);
  assert.equal(text(outcome.stdout), "from the host\nchanged\n");
  assert.equal(Deno.readTextFileSync(`${host}/note`), "from the host\n");
});

testWith(["busybox"], "a directory mounted with :rw can be changed", async () => {
  const host = hostDirectory();
  assert.equal((await shell(["--mount", `${host}:/data:rw`], SHOW_AND_CHANGE)).code, 0);
  assert.equal(Deno.readTextFileSync(`${host}/note`), "changed\n");
});

testWith(
  ["busybox"],
  "without a grant the guest sees its program, system directories and an empty /tmp, nothing of the host",
  async () => {
    const outcome = await shell([], "echo /* /tmp/*; [ -e /etc/passwd ] || echo no passwd");
    assert.match(text(outcome.stdout), /^\/busybox( \/dev)?( \/proc)?( \/sys)? \/tmp \/tmp\/\*\nno passwd\n$/);
  },
);

testWith(
  ["busybox"],
  "--root DIR is the guest's root, --cwd its working directory, and a relative PROGRAM is found there",
  async () => {
    const root = hostDirectory();
    Deno.mkdirSync(`${root}/bin`);
    const busybox = text((await execute("sh", ["-c", "command -v busybox"])).stdout).trim();
    Deno.copyFileSync(busybox, `${root}/bin/busybox`);
    Deno.chmodSync(`${root}/bin/busybox`, 0o755);
    const script = "pwd; read line < ../note; echo $line; echo x > /new";
    const outcome = await runHedra(["run", "--root", root, "--cwd", "/bin", "busybox", "sh", "-c", script]);
    expectExit(outcome, 0, /^$/);
    assert.equal(text(outcome.stdout), "/bin\nfrom the host\n");
    assert.equal([...Deno.readDirSync(root)].length, 2, "the host directory is unchanged");
  },
);

testWith(["busybox"], "a symbolic link in a mounted directory cannot lead out of it", async () => {
  const host = hostDirectory();
  Deno.symlinkSync("/etc/passwd", `${host}/outside`);
  Deno.symlinkSync("../../../../../etc/passwd", `${host}/above`);
  const outcome = await shell(["--mount", `${host}:/data`], 'read a < /data/outside; read b < /data/above; echo "$a$b"');
  assert.equal(text(outcome.stdout), "\n");
});

for (const memory of ["16", "64", "3920"]) {
  Deno.test(`--memory ${memory} is enough for a small program`, async () => {
    expectExit(await runHedra(["run", "--memory", memory, guest("matrix"), "2"]), 0, /^$/);
  });
}

testWith(["busybox"], "files in memory may take half of --memory, as a tmpfs, and what is removed is free again", async () => {
  const outcome = await shell(
    ["--memory", "128"],
    "dd if=/dev/zero of=/tmp/a bs=1M count=50 && dd if=/dev/zero of=/tmp/b bs=1M count=50; rm /tmp/a; echo there > /tmp/c; cat /tmp/c",
  );
  assert.equal(text(outcome.stdout), "there\n");
  assert.match(
    text(outcome.stderr),
    /^50\+0 records in\n50\+0 .*\n.*\/tmp\/b.*: No space left on device\n1[0-4]\+0 records in\n/s,
  );
});

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  // The most that one call gives.
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

testWith(["busybox"], "1 MiB of random bytes passes through cat unchanged", async () => {
  const data = randomBytes(1 << 20);
  assert.deepEqual((await runHedra(["run", "busybox", "cat"], { stdin: data })).stdout, data);
});

testWith(["busybox"], "a guest whose reader has gone ends by SIGPIPE", async () => {
  const main = new URL("../main.ts", import.meta.url).pathname;
  const pipeline = `"${Deno.execPath()}" run -A "${main}" run busybox yes | head -n 1; echo "\${PIPESTATUS[0]}"`;
  assert.equal(text((await execute("bash", ["-c", pipeline])).stdout), "y\n141\n");
});

for (const code of [0, 1, 42, 255]) {
  testWith(["busybox"], `exit code ${code} passes through`, async () => {
    assert.equal((await runHedra(["run", "busybox", "sh", "-c", `exit ${code}`])).code, code);
  });
}

testWith(["musl-gcc"], "a guest killed by a signal gives 128 + n and one line with PC and address", async () => {
  const outcome = await runHedra(["run", await compile("signals.c", "musl-gcc"), "segv"]);
  expectExit(outcome, 139, /^hedra: [^\n]*SIGSEGV[^\n]*0x[0-9a-f]+[^\n]*\n$/);
});

for (const busy of [true, false]) {
  testWith(["busybox"], `Ctrl-C ends a guest that ${busy ? "computes" : "sleeps"} with exit code 130`, async () => {
    const args = busy ? ["sh", "-c", "while :; do :; done"] : ["sleep", "100"];
    const outcome = await runHedra(["run", "busybox", ...args], { signal: { name: "SIGINT", afterMs: 1500 } });
    assert.equal(outcome.code, 130);
  });
}

Deno.test("--strace writes the system calls to stderr and leaves stdout alone", async () => {
  const outcome = await runHedra(["run", "--strace", guest("matrix"), "2"]);
  assert.match(text(outcome.stderr), /writev?\(1, .*exit_group\(0\)/s);
  assert.match(text(outcome.stdout), /^n 2 check/m);
});

Deno.test("hedra ps --json prints the objects of a program as JSON", async () => {
  const tree = JSON.parse(text((await runHedra(["ps", "--json", guest("hello")])).stdout));
  assert.equal(typeof tree, "object");
  assert.match(JSON.stringify(tree), /hello/);
});

Deno.test("hedra caps shows the roottask's delegations to the program", async () => {
  const outcome = await runHedra(["caps", guest("hello")]);
  expectExit(outcome, 0, /^/);
  assert.match(text(outcome.stdout), /roottask/);
  assert.match(text(outcome.stdout), /hello/);
});

testWith(["busybox"], "hedra ps shows a program that never ends when its time is over, and at intervals before", async () => {
  const endless = ["busybox", "sh", "-c", "while :; do :; done"];
  const outcome = await runHedra(["ps", "--interval", "0.2", "--timeout", "1.5", ...endless]);
  expectExit(outcome, 124, /Stopped "\/.*busybox" after 1.5 s/);
  assert.ok(text(outcome.stdout).split("roottask, host").length > 2);
  assert.match(text(outcome.stdout), /busybox 1, guest, foreign system calls/);
});

Deno.test("--verbose tells grants, failing hypercalls and the end", async () => {
  const outcome = await runHedra(["run", "--verbose", guest("hybrid")]);
  expectExit(outcome, 0, /^hedra: Starting "\/hybrid" .*\nhedra: Granted: .*\nhedra: Granted: memory 2048 MiB\n/);
  assert.match(text(outcome.stderr), /Hypercall error BAD_CAP of EC thread 1 in hybrid 1: sm_ctrl\n/);
  assert.match(text(outcome.stderr), /"\/hybrid" \(pid 1\) has ended with 0 after \d+ ms\n$/);
});

Deno.test("a root archive that is cut off is refused", async () => {
  const boot = Deno.readFileSync(new URL("../guests/boot.tar", import.meta.url));
  const cut = file("cut.tar", boot.slice(0, 5000));
  await expectRefusal(["run", "--root", cut, "/bin/hello"], 1, /damaged tar archive: "bin\/\w+" ends after \d+ of \d+ bytes/);
});
