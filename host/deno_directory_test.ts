import assert from "node:assert/strict";
import { DenoDirectory } from "./deno_directory.ts";
import { EACCES, EBADF, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, EROFS } from "./errno.ts";

const READ = { write: false, create: false, exclusive: false, truncate: false, mode: 0 };
const CREATE = { write: true, create: true, exclusive: true, truncate: false, mode: 0o644 };
const onLinux = { ignore: Deno.build.os !== "linux" };

/** `grant/` is granted, `secret` lies beside it. */
function withGrant(writable: boolean, body: (grant: DenoDirectory, path: string, outside: string) => void): void {
  const outside = Deno.realPathSync(Deno.makeTempDirSync()), path = `${outside}/grant`;
  try {
    Deno.mkdirSync(`${path}/sub`, { recursive: true });
    Deno.writeTextFileSync(`${outside}/secret`, "secret");
    Deno.writeTextFileSync(`${path}/file`, "content");
    Deno.writeTextFileSync(`${path}/sub/inner`, "inner");
    const grant = new DenoDirectory(path, writable);
    try {
      body(grant, path, outside);
    } finally {
      grant.dispose();
    }
  } finally {
    Deno.removeSync(outside, { recursive: true });
  }
}

function read(grant: DenoDirectory, path: string): string | number {
  const fd = grant.open(path, READ);
  if (fd < 0) return fd;
  const bytes = new Uint8Array(100), got = grant.read(fd, bytes, 0);
  grant.close(fd);
  return got < 0 ? got : new TextDecoder().decode(bytes.subarray(0, got));
}

Deno.test("files are read at any offset and written in full", () => {
  withGrant(true, (grant, path) => {
    assert.equal(read(grant, "file"), "content");
    assert.equal(read(grant, "sub/inner"), "inner");
    const fd = grant.open("new", CREATE), bytes = new Uint8Array(4);
    assert.equal(grant.write(fd, new TextEncoder().encode("abcdef"), 3), 6);
    assert.equal(grant.read(fd, bytes, 5), 4);
    assert.equal(new TextDecoder().decode(bytes), "cdef");
    assert.equal(grant.read(fd, bytes, 9), 0);
    assert.equal(grant.truncate(fd, 5), 0);
    assert.equal(Deno.readTextFileSync(`${path}/new`), "\0\0\0ab");
    grant.close(fd);
    assert.equal(grant.read(fd, bytes, 0), -EBADF);
  });
});

Deno.test("failures are errnos", onLinux, () => {
  withGrant(true, (grant) => {
    assert.equal(read(grant, "missing"), -ENOENT);
    assert.equal(read(grant, "sub"), -EISDIR);
    assert.equal(read(grant, "file/below"), -ENOTDIR);
    assert.equal(grant.open("file", CREATE), -EEXIST);
    assert.equal(grant.mkdir("file", 0o755), -EEXIST);
    assert.equal(grant.remove("sub", true), -ENOTEMPTY);
    assert.equal(grant.remove("file", true), -EINVAL);
    assert.equal(grant.remove("sub", false), -EISDIR);
    assert.equal(grant.readlink("file"), -EINVAL);
    assert.equal(grant.rename("missing", "other"), -ENOENT);
    assert.equal(typeof grant.list("sub"), "object");
    assert.equal(grant.list("missing"), -ENOENT);
  });
});

Deno.test("a read-only grant refuses every change with EROFS", () => {
  withGrant(false, (grant, path) => {
    assert.equal(grant.open("file", { ...READ, write: true }), -EROFS);
    assert.equal(grant.open("new", CREATE), -EROFS);
    assert.equal(grant.mkdir("new", 0o755), -EROFS);
    assert.equal(grant.remove("file", false), -EROFS);
    assert.equal(grant.rename("file", "new"), -EROFS);
    assert.equal(grant.symlink("file", "new"), -EROFS);
    assert.equal(grant.link("file", "new"), -EROFS);
    assert.equal(grant.chmod("file", 0o600), -EROFS);
    assert.equal(grant.utime("file", 1, 1), -EROFS);
    assert.deepEqual([...Deno.readDirSync(path)].map(({ name }) => name).sort(), ["file", "sub"]);
  });
});

Deno.test("no name leads out of the grant", onLinux, () => {
  withGrant(true, (grant, path, outside) => {
    Deno.symlinkSync("../secret", `${path}/link`);
    Deno.symlinkSync("..", `${path}/up`);
    Deno.symlinkSync(outside, `${path}/absolute`);
    Deno.symlinkSync("sub", `${path}/inside`);
    for (const name of ["link", "up/secret", "absolute/secret", "inside/inner"]) assert.equal(read(grant, name), -ELOOP, name);
    for (const name of ["../secret", "sub/../../secret", "./file", "/etc/passwd", "sub//inner", "a\0b"]) {
      assert.equal(read(grant, name), -ENOENT, name);
    }
    assert.equal(grant.list("up"), -ELOOP);
    assert.equal(grant.stat("up/secret"), -ELOOP);
    assert.equal(grant.mkdir("up/made", 0o755), -ELOOP);
    assert.equal(grant.remove("up/secret", false), -ELOOP);
    assert.equal(grant.rename("file", "up/file"), -ELOOP);
    assert.equal(grant.rename("up/secret", "mine"), -ELOOP);
    assert.equal(grant.link("up/secret", "mine"), -ELOOP);
    assert.equal(grant.open("up/made", CREATE), -ELOOP);
    // The last component is a dangling link that leads out: creating must not follow it.
    Deno.symlinkSync("../made", `${path}/dangling`);
    assert.equal(grant.open("dangling", CREATE), -EEXIST);
    assert.equal(grant.open("dangling", { ...CREATE, exclusive: false }), -ELOOP);
    assert.equal(typeof grant.chmod("link", 0o777) === "number" && grant.chmod("link", 0o777) < 0, true);
    // The link's own times, not those of what it names.
    assert.equal(grant.utime("link", 1, 1), 0);
    assert.equal(Deno.lstatSync(`${path}/link`).mtime?.getTime(), 1000);
    assert.notEqual(Deno.statSync(`${outside}/secret`).mtime?.getTime(), 1000);
    assert.equal(Deno.statSync(`${outside}/secret`).mode! & 0o777, Deno.statSync(`${path}/file`).mode! & 0o777);
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name).sort(), ["grant", "secret"]);
  });
});

Deno.test("a directory that is replaced by a symlink while files are opened never yields an outside file", onLinux, async () => {
  const outside = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    Deno.mkdirSync(`${outside}/grant/real`, { recursive: true });
    Deno.mkdirSync(`${outside}/evil`);
    Deno.writeTextFileSync(`${outside}/grant/real/file`, "inside");
    Deno.writeTextFileSync(`${outside}/evil/file`, "SECRET");
    // Another process swaps grant/real with a symlink to the outside as fast as it can.
    const script =
      `cd "$0/grant"; ln -s ../evil trap; while [ ! -e ../stop ]; do mv -T real saved; mv -T trap real; mv -T real trap; mv -T saved real; done`;
    const attacker = new Deno.Command("sh", { args: ["-c", script, outside], stdout: "null", stderr: "null" }).spawn();
    const grant = new DenoDirectory(`${outside}/grant`, false), seen = new Map<string | number, number>();
    for (const end = Date.now() + 1500; Date.now() < end;) {
      const result = read(grant, "real/file");
      seen.set(result, (seen.get(result) ?? 0) + 1);
    }
    Deno.writeTextFileSync(`${outside}/stop`, "");
    await attacker.status;
    assert.equal(seen.get("SECRET"), undefined);
    assert.ok((seen.get("inside") ?? 0) > 0);
  } finally {
    Deno.removeSync(outside, { recursive: true });
  }
});

Deno.test("modes are exact, whatever the umask of the host is", onLinux, () => {
  withGrant(true, (grant, path) => {
    grant.close(grant.open("wide", { ...CREATE, mode: 0o666 }));
    grant.close(grant.open("narrow", { ...CREATE, mode: 0o400 }));
    grant.mkdir("shared", 0o777);
    const mode = (name: string) => Deno.lstatSync(`${path}/${name}`).mode! & 0o7777;
    assert.deepEqual([mode("wide"), mode("narrow"), mode("shared")], [0o666, 0o400, 0o777]);
  });
});

Deno.test("a pipe in the grant is not opened, which could block for ever", onLinux, () => {
  withGrant(true, (grant, path) => {
    new Deno.Command("mkfifo", { args: [`${path}/pipe`] }).outputSync();
    assert.ok(Number(read(grant, "pipe")) < 0);
  });
});

Deno.test("granting what is not a directory fails at once", () => {
  withGrant(false, (_grant, path) => {
    assert.throws(() => new DenoDirectory(`${path}/file`, false));
    assert.throws(() => new DenoDirectory(`${path}/missing`, false));
  });
});

Deno.test("permission errors have their own errno", { ignore: Deno.build.os !== "linux" || Deno.uid() === 0 }, () => {
  withGrant(true, (grant, path) => {
    Deno.chmodSync(`${path}/file`, 0);
    assert.equal(read(grant, "file"), -EACCES);
  });
});
