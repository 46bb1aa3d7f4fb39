import assert from "node:assert/strict";
import { FS_ROOT } from "./api.ts";
import { O_RDONLY, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from "./flags.ts";
import { tarProblem } from "./tar_fs.ts";
import { writeTar } from "./tar_writer.ts";
import { type Rig, withFs } from "../tests/support/fs_rig.ts";
import { emptyStat } from "./empty_stat.ts";

const text = (content: string) => new TextEncoder().encode(content);
const run = (command: string, args: string[], cwd: string) =>
  new Deno.Command(command, { args, cwd, stdout: "piped", stderr: "piped" }).outputSync();
const hasTar = (() => {
  try {
    return Deno.build.os === "linux" && new TextDecoder().decode(run("tar", ["--version"], "/").stdout).includes("GNU tar");
  } catch {
    return false;
  }
})();

function content({ fs, buffer, text }: Rig, path: string): string | number {
  const handle = fs.open(FS_ROOT, path, O_RDONLY, 0);
  if (handle < 0) return handle;
  const got = fs.read(handle, 0, buffer, 1 << 20);
  fs.close(handle);
  return got < 0 ? got : text(got);
}

/** Type and permissions, links, uid, mtime seconds, and size of what is not a directory. */
function summary({ fs }: Rig, path: string): number[] {
  const stat = emptyStat(), status = fs.stat(FS_ROOT, path, false, stat);
  return status < 0
    ? [status]
    : [stat.mode, stat.nlink, stat.uid, stat.mtime[0], (stat.mode & S_IFDIR) === S_IFDIR ? 0 : stat.size];
}

const LONG_DIRECTORY = `${"long-directory-name-".repeat(5)}x`, LONG_NAME = `${"file-name-".repeat(20)}.txt`;

for (const format of ["ustar", "gnu", "pax", "v7"]) {
  Deno.test(`reads what GNU tar writes in the format ${format}`, { ignore: !hasTar }, () => {
    const directory = Deno.makeTempDirSync();
    const long = format === "v7" ? "short" : format === "ustar" ? LONG_DIRECTORY.slice(0, 90) : LONG_DIRECTORY,
      name = format === "v7" ? "name" : format === "ustar" ? LONG_NAME.slice(-90) : LONG_NAME;
    try {
      Deno.mkdirSync(`${directory}/t/${long}`, { recursive: true });
      Deno.writeTextFileSync(`${directory}/t/${long}/${name}`, "deep");
      Deno.writeTextFileSync(`${directory}/t/plain`, "plain text\n".repeat(1000));
      Deno.linkSync(`${directory}/t/plain`, `${directory}/t/second`);
      Deno.symlinkSync(format === "gnu" || format === "pax" ? `${"../".repeat(40)}${LONG_NAME}` : "plain", `${directory}/t/link`);
      Deno.writeTextFileSync(`${directory}/t/äöü`, "umlauts");
      if (format !== "v7") run("mkfifo", [`${directory}/t/pipe`], directory);
      run("chmod", ["4750", `${directory}/t/plain`], directory);
      run("touch", ["-h", "-d", "@1234567890", ...["plain", "link", "äöü"].map((file) => `t/${file}`)], directory);
      const packed = run(
        "tar",
        ["--format", format, "-cf", "image.tar", "--owner=1000", "--group=1000", "-C", "t", "."],
        directory,
      );
      assert.ok(packed.success, new TextDecoder().decode(packed.stderr));
      withFs([{ guest: "/", source: Deno.readFileSync(`${directory}/image.tar`) }], (rig) => {
        assert.equal(content(rig, `/${long}/${name}`), "deep");
        assert.equal(content(rig, "/plain"), "plain text\n".repeat(1000));
        assert.equal(content(rig, "/second"), content(rig, "/plain"));
        assert.equal(content(rig, "/äöü"), "umlauts");
        assert.deepEqual(summary(rig, "/plain"), [S_IFREG | 0o4750, 2, 1000, 1234567890, 11000]);
        assert.deepEqual(summary(rig, "/second"), summary(rig, "/plain"));
        assert.deepEqual(summary(rig, "/link").slice(0, 1), [S_IFLNK | 0o777]);
        assert.equal(rig.fs.readlink(FS_ROOT, "/link"), Deno.readLinkSync(`${directory}/t/link`));
        if (format !== "v7") assert.equal(summary(rig, "/pipe")[0] & 0o170000, S_IFIFO);
        assert.equal(summary(rig, `/${long}`)[1], 2);
      });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

Deno.test("what the tar writer writes is read by GNU tar", { ignore: !hasTar }, () => {
  const directory = Deno.makeTempDirSync();
  try {
    const members = [{ path: "d/", mode: 0o700 }, { path: `d/${LONG_NAME}`, bytes: text("content") }, {
      path: "l",
      target: `d/${LONG_NAME}`,
    }];
    Deno.writeFileSync(`${directory}/image.tar`, writeTar(members));
    const unpacked = run("tar", ["-xf", "image.tar"], directory);
    assert.ok(unpacked.success, new TextDecoder().decode(unpacked.stderr));
    assert.equal(Deno.readTextFileSync(`${directory}/l`), "content");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("members that climb out with '..' are left out, leading slashes and './' are dropped", () => {
  const image = writeTar([
    { path: "../escape", bytes: text("out") },
    { path: "a/../../escape", bytes: text("out") },
    { path: "/absolute", bytes: text("in") },
    { path: "./dot/./file", bytes: text("dot") },
  ]);
  withFs([{ guest: "/", source: image }], (rig) => {
    assert.equal(content(rig, "/escape"), -2);
    assert.equal(content(rig, "/absolute"), "in");
    assert.equal(content(rig, "/dot/file"), "dot");
  });
});

Deno.test("the last of several members with one name wins", () => {
  withFs([{ guest: "/", source: writeTar([{ path: "f", bytes: text("old") }, { path: "f", bytes: text("new") }]) }], (rig) => {
    assert.equal(content(rig, "/f"), "new");
  });
});

Deno.test("damaged images give what can be read and nothing beyond", () => {
  const whole = writeTar([{ path: "a", bytes: text("first") }, { path: "b", bytes: text("x".repeat(5000)) }]);
  const cut = whole.slice(0, 512 * 3 + 100), broken = whole.slice();
  broken[1024 + 10] ^= 1;
  withFs([{ guest: "/", source: cut }], (rig) => {
    assert.equal(content(rig, "/a"), "first");
    assert.equal(content(rig, "/b"), "x".repeat(100));
  });
  withFs([{ guest: "/", source: broken }], (rig) => {
    assert.equal(content(rig, "/a"), "first");
    assert.equal(content(rig, "/b"), -2);
  });
  withFs([{ guest: "/", source: new Uint8Array(1000) }], (rig) => assert.equal(content(rig, "/a"), -2));
});

Deno.test("tarProblem() says where an archive is cut off or damaged", () => {
  const whole = writeTar([{ path: "a", bytes: text("first") }, { path: "b", bytes: text("x".repeat(5000)) }]),
    broken = whole.slice();
  broken[1024 + 10] ^= 1;
  const cases: [Uint8Array, string | undefined][] = [
    [whole, undefined],
    [whole.slice(0, 1024), undefined],
    [whole.slice(0, 1024 + 100), "a header ends after 100 of 512 bytes"],
    [whole.slice(0, 512 * 3 + 100), '"b" ends after 100 of 5000 bytes'],
    [broken, "no header at byte 1024"],
  ];
  for (const [image, problem] of cases) assert.equal(tarProblem(image), problem);
});
