import { SUPERUSER } from "./identity.ts";
import assert from "node:assert/strict";
import { EBADF, EBUSY, EFAULT, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS, EXDEV } from "../host/errno.ts";
import { ROOT } from "../roottask/layout.ts";
import { FS_ROOT } from "./api.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
} from "./flags.ts";
import { writeTar } from "./tar_writer.ts";
import { type Rig, type RigMount, withFs } from "../tests/support/fs_rig.ts";
import { emptyStat } from "./empty_stat.ts";

const CREATE = O_RDWR | O_CREAT;
const MEMORY: RigMount[] = [{ guest: "/", source: "memory" }];
const text = (content: string) => new TextEncoder().encode(content);

/** A file with that content. */
function plant({ fs, buffer, put }: Rig, path: string, content: string): void {
  const handle = fs.open(FS_ROOT, path, CREATE, 0o644);
  fs.write(handle, 0, buffer, put(content));
  fs.close(handle);
}

function content(rig: Rig, path: string): string | number {
  const handle = rig.fs.open(FS_ROOT, path, O_RDONLY, 0);
  if (handle < 0) return handle;
  const got = rig.fs.read(handle, 0, rig.buffer, 1 << 20);
  rig.fs.close(handle);
  return got < 0 ? got : rig.text(got);
}

function names({ fs }: Rig, path: string, max = 100): string[] {
  const handle = fs.open(FS_ROOT, path, O_RDONLY | O_DIRECTORY, 0), found: string[] = [];
  for (let cookie = 0;;) {
    const entries = fs.list(handle, cookie, max);
    assert.ok(typeof entries !== "number");
    if (entries.length === 0) break;
    found.push(...entries.map((entry) => entry.name));
    cookie = entries[entries.length - 1].next;
  }
  fs.close(handle);
  return found;
}

const modeOf = ({ fs }: Rig, path: string, follow = true): number => {
  const stat = emptyStat(), status = fs.stat(FS_ROOT, path, follow, stat);
  return status < 0 ? status : stat.mode;
};

Deno.test("'..' never leaves the root, whatever the number of steps or links", () => {
  withFs([...MEMORY, { guest: "/mnt/host", source: writeTar([{ path: "in/file", bytes: text("x") }]) }], (rig) => {
    const { fs } = rig;
    plant(rig, "/top", "top");
    fs.symlink("../../../../../top", FS_ROOT, "/up");
    fs.symlink("/../..//top", FS_ROOT, "/absolute");
    assert.equal(content(rig, "/../../../top"), "top");
    assert.equal(content(rig, "/up"), "top");
    assert.equal(content(rig, "/absolute"), "top");
    assert.equal(content(rig, "/mnt/host/in/../../../../../top"), "top");
    assert.equal(content(rig, "/mnt/host/.."), -EISDIR);
  });
});

Deno.test("the longest mount prefix wins and mount points show up where no directory is", () => {
  const tar = (name: string) => writeTar([{ path: name, bytes: text(name) }]);
  const mounts = [...MEMORY, { guest: "/a", source: tar("one") }, { guest: "/a/b/c", source: tar("two") }, {
    guest: "/x/y/z",
    source: tar("three"),
  }];
  withFs(mounts, (rig) => {
    assert.equal(content(rig, "/a/one"), "one");
    assert.equal(content(rig, "/a/b/c/two"), "two");
    assert.equal(content(rig, "/x/y/z/three"), "three");
    assert.deepEqual(names(rig, "/a").sort(), [".", "..", "b", "one"]);
    assert.deepEqual(names(rig, "/x"), [".", "..", "y"]);
    const handle = rig.fs.open(FS_ROOT, "/x/y/z/../../y/z/three", O_RDONLY, 0);
    assert.equal(rig.fs.pathOf(handle), "/x/y/z/three");
    assert.equal(rig.fs.unlink(FS_ROOT, "/a", true), -EBUSY);
    assert.equal(rig.fs.rename(FS_ROOT, "/a", FS_ROOT, "/other", 0), -EBUSY);
    plant(rig, "/file", "");
    assert.equal(rig.fs.rename(FS_ROOT, "/file", FS_ROOT, "/x/file", 0), -EXDEV);
    assert.equal(rig.fs.link(FS_ROOT, "/file", FS_ROOT, "/x/file", false), -EXDEV);
    assert.equal(rig.mount({ guest: "/file", source: "memory" }), -ENOTDIR);
    assert.equal(rig.mount({ guest: "/", source: "memory" }), -EBUSY);
  });
});

Deno.test("a read-only file system gives EROFS for every change and EEXIST first where Linux does", () => {
  withFs([{ guest: "/", source: writeTar([{ path: "file", bytes: text("x") }, { path: "dir/" }]) }], ({ fs }) => {
    assert.equal(fs.open(FS_ROOT, "/file", O_WRONLY, 0), -EROFS);
    assert.equal(fs.open(FS_ROOT, "/file", O_RDONLY | O_TRUNC, 0), -EROFS);
    assert.equal(fs.open(FS_ROOT, "/new", CREATE, 0o644), -EROFS);
    assert.equal(fs.mkdir(FS_ROOT, "/new", 0o755), -EROFS);
    assert.equal(fs.mkdir(FS_ROOT, "/dir", 0o755), -17);
    assert.equal(fs.unlink(FS_ROOT, "/file", false), -EROFS);
    assert.equal(fs.rename(FS_ROOT, "/file", FS_ROOT, "/new", 0), -EROFS);
    assert.equal(fs.chmod(FS_ROOT, "/file", 0o600, true), -EROFS);
    assert.equal(fs.utime(FS_ROOT, "/file", [1, 0], undefined, true), -EROFS);
  });
});

Deno.test("a full pool gives ENOSPC after a partial write and room again after unlink", () => {
  const pool = 1 << 20;
  withFs(MEMORY, (rig) => {
    const { fs, buffer } = rig, big = fs.open(FS_ROOT, "/big", CREATE, 0o644);
    assert.equal(fs.write(big, 0, buffer, 2 << 20), pool);
    assert.equal(fs.write(big, pool, buffer, 1), -ENOSPC);
    const other = fs.open(FS_ROOT, "/other", CREATE, 0o644);
    assert.equal(fs.write(other, 0, buffer, 10), -ENOSPC);
    assert.equal(fs.size(other), 0);
    fs.unlink(FS_ROOT, "/big", false);
    assert.equal(fs.write(other, 0, buffer, 10), -ENOSPC);
    fs.close(big);
    assert.equal(fs.write(other, 0, buffer, 10), 10);
    const statfs = { type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: true };
    fs.close(other);
    assert.equal(fs.statfs(FS_ROOT, statfs), 0);
    assert.deepEqual([statfs.blocks, statfs.bfree, statfs.readOnly], [pool / 4096, pool / 4096 - 1, false]);
  }, pool);
});

Deno.test("there are as many names as the pool has pages: files, directories, links and further names", () => {
  const pool = 1 << 20, most = pool / 4096;
  withFs(MEMORY, ({ fs }) => {
    const statfs = { type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: true };
    const free = () => (fs.statfs(FS_ROOT, statfs), statfs.ffree);
    assert.deepEqual([free(), statfs.files], [most - 1, most]);
    fs.close(fs.open(FS_ROOT, "/file", CREATE, 0o644));
    const make = [
      (n: number) => fs.mkdir(FS_ROOT, `/${n}`, 0o755),
      (n: number) => fs.symlink("target", FS_ROOT, `/${n}`),
      (n: number) => fs.link(FS_ROOT, "/file", FS_ROOT, `/${n}`, false),
      (n: number) => (fs.close(fs.open(FS_ROOT, `/${n}`, CREATE, 0o644)), 0),
    ];
    for (let n = 0; n < most - 2; n++) assert.equal(make[n % 4](n), 0);
    assert.equal(free(), 0);
    for (const each of make.slice(0, 3)) assert.equal(each(most), -ENOSPC);
    assert.equal(fs.open(FS_ROOT, "/new", CREATE, 0o644), -ENOSPC);
    for (let n = 0; n < most - 2; n++) assert.equal(fs.unlink(FS_ROOT, `/${n}`, n % 4 === 0), 0);
    assert.equal(free(), most - 2);
  }, pool);
});

Deno.test("files of many sizes written in pieces read back, and all memory returns", () => {
  const pool = 16 << 20;
  withFs(MEMORY, (rig) => {
    const { fs, buffer, ec } = rig, sizes = [1, 4095, 4096, 4097, 100_000, 1 << 20, 3_000_001];
    const bytes = ec.memory.view(buffer, 4 << 20, true);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i * 2654435761 >>> 24;
    const expected = bytes.slice();
    for (const [i, size] of sizes.entries()) {
      const handle = fs.open(FS_ROOT, `/f${i}`, CREATE, 0o644), step = 1 + size / 7 | 0;
      bytes.set(expected);
      for (let at = 0; at < size; at += step) fs.write(handle, at, buffer + at, Math.min(step, size - at));
      bytes.fill(0);
      assert.equal(fs.read(handle, 0, buffer, 4 << 20), size);
      assert.deepEqual(bytes.subarray(0, size), expected.subarray(0, size));
      fs.close(handle);
    }
    for (const i of sizes.keys()) assert.equal(fs.unlink(FS_ROOT, `/f${i}`, false), 0);
    const statfs = { type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: true };
    fs.statfs(FS_ROOT, statfs);
    assert.equal(statfs.bfree, pool / 4096);
  }, pool);
});

Deno.test("devices behave like those of Linux", () => {
  withFs(MEMORY, (rig) => {
    const { fs, buffer, put, get } = rig, open = (name: string) => fs.open(FS_ROOT, `/dev/${name}`, O_RDWR, 0);
    assert.equal(modeOf(rig, "/dev/null"), S_IFCHR | 0o666);
    assert.equal(fs.read(open("null"), 0, buffer, 100), 0);
    assert.equal(fs.write(open("null"), 0, buffer, 100), 100);
    put("garbage");
    assert.equal(fs.read(open("zero"), 0, buffer, 7), 7);
    assert.deepEqual([...get(7)], [0, 0, 0, 0, 0, 0, 0]);
    assert.equal(fs.write(open("full"), 0, buffer, 1), -ENOSPC);
    assert.equal(fs.read(open("urandom"), 0, buffer, 200_000), 200_000);
    assert.ok(new Set(get(200_000)).size === 256);
    assert.equal(fs.open(FS_ROOT, "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o644) > 0, true);
    assert.equal(fs.readlink(FS_ROOT, "/dev/fd"), "/proc/self/fd");
    plant(rig, "/dev/shm/segment", "shared");
    assert.equal(content(rig, "/dev/shm/segment"), "shared");
  });
});

Deno.test("a client cannot name memory outside its window", () => {
  withFs(MEMORY, (rig) => {
    const { fs, buffer } = rig, handle = fs.open(FS_ROOT, "/f", CREATE, 0o644);
    assert.equal(fs.write(handle, 0, buffer - 1, 10), -EFAULT);
    assert.equal(fs.write(handle, 0, buffer + (4 << 20) - 5, 10), -EFAULT);
    assert.equal(fs.read(handle, 0, 0, 10), -EFAULT);
    assert.equal(fs.read(handle, 0, buffer, -1), -EFAULT);
    assert.equal(fs.read(999, 0, buffer, 1), -EBADF);
    assert.equal(fs.open(999, "f", O_RDONLY, 0), -EBADF);
  });
});

Deno.test("handles are counted and O_PATH ones cannot be read", () => {
  withFs(MEMORY, (rig) => {
    const { fs, buffer } = rig;
    plant(rig, "/f", "data");
    fs.symlink("f", FS_ROOT, "/l");
    const handle = fs.open(FS_ROOT, "/f", O_RDONLY, 0);
    fs.dup(handle);
    fs.close(handle);
    assert.equal(fs.read(handle, 0, buffer, 4), 4);
    fs.close(handle);
    assert.equal(fs.read(handle, 0, buffer, 4), -EBADF);
    const reference = fs.open(FS_ROOT, "/l", O_PATH | O_NOFOLLOW, 0), stat = emptyStat();
    assert.equal(fs.fstat(reference, stat), 0);
    assert.equal(stat.mode & S_IFMT, S_IFLNK);
    assert.equal(fs.readlink(reference, ""), "f");
    assert.equal(fs.read(reference, 0, buffer, 4), -EBADF);
  });
});

Deno.test("pathOf() follows renames of the file and of directories above it, and ends with the name", () => {
  withFs(MEMORY, (rig) => {
    const { fs } = rig;
    fs.mkdir(FS_ROOT, "/d", 0o755);
    fs.mkdir(FS_ROOT, "/d/e", 0o755);
    plant(rig, "/d/e/f", "");
    const file = fs.open(FS_ROOT, "/d/e/f", O_RDONLY, 0), directory = fs.open(FS_ROOT, "/d/e", O_RDONLY, 0);
    assert.equal(fs.pathOf(file), "/d/e/f");
    fs.rename(FS_ROOT, "/d/e/f", FS_ROOT, "/d/g", 0);
    assert.equal(fs.pathOf(file), "/d/g");
    fs.rename(FS_ROOT, "/d", FS_ROOT, "/q", 0);
    assert.equal(fs.pathOf(file), "/q/g");
    assert.equal(fs.pathOf(directory), "/q/e");
    assert.equal(fs.pathOf(FS_ROOT), "/");
    fs.unlink(FS_ROOT, "/q/g", false);
    fs.unlink(FS_ROOT, "/q/e", true);
    assert.equal(fs.pathOf(file), -ENOENT);
    assert.equal(fs.pathOf(directory), -ENOENT);
    assert.equal(fs.open(directory, "new", CREATE, 0o644), -ENOENT);
    assert.equal(fs.list(directory, 0, 10), -ENOENT);
  });
});

Deno.test("a listing survives the removal of what it has shown", () => {
  withFs(MEMORY, (rig) => {
    const { fs } = rig;
    fs.mkdir(FS_ROOT, "/d", 0o755);
    for (let i = 0; i < 300; i++) plant(rig, `/d/name-${i}`, "");
    const handle = fs.open(FS_ROOT, "/d", O_RDONLY, 0);
    let removed = 0;
    for (let cookie = 0;;) {
      const entries = fs.list(handle, cookie, 50);
      assert.ok(typeof entries !== "number");
      if (entries.length === 0) break;
      for (const entry of entries) {
        if (entry.name.startsWith("name")) assert.equal(fs.unlink(handle, entry.name, false), 0), removed++;
      }
      cookie = entries[entries.length - 1].next;
    }
    assert.equal(removed, 300);
    assert.equal(fs.unlink(FS_ROOT, "/d", true), 0);
  });
});

Deno.test("names of any bytes and any length make the round trip", () => {
  withFs(MEMORY, (rig) => {
    const { fs } = rig, odd = "\udcff\udc80-\u00e4\u{1f600}";
    plant(rig, `/${odd}`, "odd");
    assert.equal(content(rig, `/${odd}`), "odd");
    assert.ok(names(rig, "/").includes(odd));
    let path = "";
    for (let i = 0; i < 15; i++) assert.equal(fs.mkdir(FS_ROOT, path += `/${"d".repeat(254)}`, 0o755), 0);
    assert.equal(fs.mkdir(FS_ROOT, path += `/${"e".repeat(20)}`, 0o755), 0);
    const deep = `${path}/${"f".repeat(4094 - path.length)}`;
    plant(rig, deep, "deep");
    assert.equal(content(rig, deep), "deep");
    assert.equal(content(rig, `${deep}f`), -ENAMETOOLONG);
    const longer = `${deep.slice(0, -1)}g`;
    assert.equal(fs.rename(FS_ROOT, deep, FS_ROOT, longer, 0), 0);
    assert.equal(content(rig, longer), "deep");
    assert.equal(fs.pathOf(fs.open(FS_ROOT, longer, O_RDONLY, 0)), longer);
  });
});

Deno.test("appending goes to the end of the file, whoever made it longer", () => {
  withFs(MEMORY, (rig) => {
    const { fs, buffer, put } = rig, one = fs.open(FS_ROOT, "/f", CREATE, 0o644), two = fs.open(FS_ROOT, "/f", O_RDWR, 0);
    fs.write(one, -1, buffer, put("one "));
    fs.write(two, -1, buffer, put("two "));
    fs.write(one, -1, buffer, put("three"));
    assert.equal(content(rig, "/f"), "one two three");
    assert.equal(fs.size(two), 13);
  });
});

Deno.test("an O_TMPFILE file has no name until it is linked", () => {
  withFs(MEMORY, (rig) => {
    const { fs, buffer, put } = rig, handle = fs.open(FS_ROOT, "/", O_TMPFILE | O_RDWR, 0o600), stat = emptyStat();
    fs.write(handle, 0, buffer, put("hidden"));
    fs.fstat(handle, stat);
    assert.equal(stat.nlink, 0);
    assert.equal(fs.link(handle, "", FS_ROOT, "/found", false), 0);
    fs.close(handle);
    assert.equal(content(rig, "/found"), "hidden");
  });
});

// ---- overlay ------------------------------------------------------------------------------------------------------------

const LOWER = writeTar([
  { path: "file", bytes: text("lower"), mode: 0o640, mtime: 1_000_000_000 },
  { path: "dir/one", bytes: text("1") },
  { path: "dir/two", bytes: text("2") },
  { path: "link", target: "dir/one" },
]);
const OVERLAY: RigMount[] = [{ guest: "/", source: LOWER, overlay: true }];

Deno.test("an overlay copies up on the first write and keeps the attributes", () => {
  withFs(OVERLAY, (rig) => {
    const { fs, buffer, put } = rig, reader = fs.open(FS_ROOT, "/file", O_RDONLY, 0);
    const writer = fs.open(FS_ROOT, "/file", O_RDWR, 0), stat = emptyStat();
    fs.stat(FS_ROOT, "/file", true, stat);
    assert.deepEqual([stat.mode & 0o777, stat.mtime[0], stat.size], [0o640, 1_000_000_000, 5]);
    const { ino } = stat;
    fs.write(writer, 1, buffer, put("OW"));
    assert.equal(content(rig, "/file"), "lOWer");
    assert.equal(fs.read(reader, 0, buffer, 100), 5);
    assert.equal(rig.text(5), "lOWer");
    fs.stat(FS_ROOT, "/file", true, stat);
    assert.deepEqual([stat.mode & 0o777, stat.ino, stat.size], [0o640, ino, 5]);
  });
});

Deno.test("an overlay hides what was removed and a directory made anew is empty", () => {
  withFs(OVERLAY, (rig) => {
    const { fs } = rig;
    assert.equal(fs.unlink(FS_ROOT, "/dir/one", false), 0);
    assert.equal(content(rig, "/dir/one"), -ENOENT);
    assert.deepEqual(names(rig, "/dir"), [".", "..", "two"]);
    assert.equal(fs.unlink(FS_ROOT, "/dir", true), -39);
    assert.equal(fs.unlink(FS_ROOT, "/dir/two", false), 0);
    assert.equal(fs.unlink(FS_ROOT, "/dir", true), 0);
    assert.equal(fs.mkdir(FS_ROOT, "/dir", 0o755), 0);
    assert.deepEqual(names(rig, "/dir"), [".", ".."]);
    plant(rig, "/dir/one", "new");
    assert.equal(content(rig, "/link"), "new");
  });
});

Deno.test("a directory renamed in an overlay takes its lower contents along", () => {
  withFs(OVERLAY, (rig) => {
    const { fs } = rig;
    assert.equal(fs.rename(FS_ROOT, "/dir", FS_ROOT, "/moved", 0), 0);
    assert.equal(content(rig, "/moved/two"), "2");
    assert.equal(content(rig, "/dir/two"), -ENOENT);
    assert.equal(fs.mkdir(FS_ROOT, "/dir", 0o755), 0);
    assert.deepEqual(names(rig, "/dir"), [".", ".."]);
    assert.equal(modeOf(rig, "/moved") & S_IFMT, S_IFDIR);
  });
});

Deno.test("truncating in an overlay copies only what stays", () => {
  withFs(OVERLAY, (rig) => {
    const { fs } = rig, handle = fs.open(FS_ROOT, "/file", O_WRONLY, 0);
    assert.equal(fs.truncate(handle, 3), 0);
    assert.equal(content(rig, "/file"), "low");
    fs.close(fs.open(FS_ROOT, "/dir/one", O_WRONLY | O_TRUNC, 0));
    assert.equal(content(rig, "/dir/one"), "");
    assert.equal(content(rig, "/dir/two"), "2");
  });
});

Deno.test("no request, however absurd, harms the service", () => {
  withFs(OVERLAY, (rig) => {
    const { ec, fs } = rig, { utcb } = ec;
    let seed = 99;
    const random = (n: number) => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0, (seed >>> 8) % n);
    const words = [0, 1, 2, 3, -1, -2, 4096, 0o100644, 2 ** 31, 2 ** 40, -(2 ** 40), rig.buffer, 2 ** 53 - 1, 0xffff_ffff];
    for (let round = 0; round < 30_000; round++) {
      utcb.set(0, random(35) - 1);
      for (let i = 1; i < 6; i++) utcb.set(i, random(3) === 0 ? random(8) : words[random(words.length)]);
      for (let i = 6; i < 8; i++) utcb.set(i, random(4) === 0 ? words[random(words.length)] : random(30));
      for (let i = 64; i < 130; i++) utcb.bytes[i] = random(8) === 0 ? random(256) : "/a.d\0"[random(5)].charCodeAt(0);
      utcb.untyped = random(60);
      assert.equal(ec.call(ROOT.FS_SESSION), 0);
      assert.ok(Number.isInteger(utcb.get(0)));
    }
    fs.actAs(SUPERUSER);
    fs.setRoot(FS_ROOT);
    plant(rig, "/dir/fine", "still works");
    assert.equal(content(rig, "/dir/fine"), "still works");
    assert.equal(fs.open(FS_ROOT, "/", O_RDONLY, 0) > 0, true);
  });
});
