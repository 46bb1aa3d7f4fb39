/** The same file operations on the real kernel (by a Python process) and on the file service; results must be equal. */
import assert from "node:assert/strict";
import { FS_ROOT } from "../../fs/api.ts";
import { directoryType, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../fs/flags.ts";
import type { Rig } from "./fs_rig.ts";
import { emptyStat } from "../../fs/empty_stat.ts";

/** First element: the operation's name in fs_judge.py; paths are relative to the root. */
export type Operation = readonly [string, ...(string | number | boolean)[]];
export type Result = number | string | null | (string | number)[];

const JUDGE = new URL("./fs_judge.py", import.meta.url).pathname;

export const hasJudge: boolean = (() => {
  try {
    return Deno.build.os === "linux" &&
      new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** What the real kernel says, in a fresh directory (or in `directory`). */
export async function realResults(operations: readonly Operation[], directory?: string): Promise<Result[]> {
  const cwd = directory ?? Deno.makeTempDirSync();
  try {
    const child = new Deno.Command("python3", { args: [JUDGE], cwd, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    const writer = child.stdin.getWriter(), output = child.output();
    // Reading goes on meanwhile, or both sides would wait for each other with full pipes.
    await writer.write(new TextEncoder().encode(operations.map((operation) => JSON.stringify(operation)).join("\n") + "\n"));
    await writer.close();
    const { stdout, stderr, success } = await output;
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  } finally {
    if (directory === undefined) Deno.removeSync(cwd, { recursive: true });
  }
}

/** What the file service says. */
export function guestResults(rig: Rig, operations: readonly Operation[]): Result[] {
  const driver = new Driver(rig), results = operations.map((operation) => driver.run(operation));
  driver.closeAll();
  return results;
}

class Driver {
  private readonly handles = new Map<number, number>();
  private readonly stat = emptyStat();

  constructor(private readonly rig: Rig) {}

  closeAll(): void {
    for (const handle of this.handles.values()) this.rig.fs.close(handle);
    this.handles.clear();
  }

  private describe(status: number): Result {
    const { stat } = this;
    if (status < 0) return status;
    const kind = stat.mode & S_IFMT;
    return [kind, stat.mode & 0o7777, stat.nlink, kind === S_IFREG || kind === S_IFLNK ? stat.size : 0];
  }

  private path(path: string, follow: boolean): Result {
    return path === "" ? -2 : this.describe(this.rig.fs.stat(FS_ROOT, path, follow, this.stat));
  }

  run([name, ...args]: Operation): Result {
    const { rig } = this, { fs } = rig, text = (i: number) => String(args[i]), number = (i: number) => Number(args[i]);
    const fd = this.handles.get(number(0));
    switch (name) {
      case "open": {
        const handle = fs.open(FS_ROOT, text(1), number(2), number(3));
        if (handle < 0) return handle;
        if (fd !== undefined) fs.close(fd);
        this.handles.set(number(0), handle);
        return 0;
      }
      case "close":
        if (fd !== undefined) fs.close(fd);
        this.handles.delete(number(0));
        return 0;
      case "pread": {
        if (fd === undefined) return null;
        const got = fs.read(fd, number(1), rig.buffer, number(2));
        return got < 0 ? got : [...rig.get(got)];
      }
      case "pwrite":
        return fd === undefined ? null : fs.write(fd, number(1), rig.buffer, rig.put(text(2)));
      case "ftruncate":
        return fd === undefined ? null : fs.truncate(fd, number(1));
      case "fstat":
        return fd === undefined ? null : this.describe(fs.fstat(fd, this.stat));
      case "mkdir":
        return fs.mkdir(FS_ROOT, text(0), number(1));
      case "rmdir":
        return fs.unlink(FS_ROOT, text(0), true);
      case "unlink":
        return fs.unlink(FS_ROOT, text(0), false);
      case "mkfifo":
        return fs.mknod(FS_ROOT, text(0), S_IFIFO | number(1), 0);
      case "rename":
        return fs.rename(FS_ROOT, text(0), FS_ROOT, text(1), number(2));
      case "link":
        return text(0) === "" ? -2 : fs.link(FS_ROOT, text(0), FS_ROOT, text(1), args[2] === true);
      case "symlink":
        return fs.symlink(text(0), FS_ROOT, text(1));
      case "readlink":
        return text(0) === "" ? -2 : fs.readlink(FS_ROOT, text(0));
      case "stat":
        return this.path(text(0), true);
      case "lstat":
        return this.path(text(0), false);
      case "list":
        return this.list(text(0));
      case "chmod":
        return text(0) === "" ? -2 : fs.chmod(FS_ROOT, text(0), number(1), true);
      case "utime": {
        const status = fs.utime(FS_ROOT, text(0), [number(1), 0], [number(2), 0], true);
        if (status < 0) return status;
        fs.stat(FS_ROOT, text(0), true, this.stat);
        return [this.stat.atime[0], this.stat.mtime[0]];
      }
    }
    throw new Error(`Unknown operation "${name}"`);
  }

  private list(path: string): Result {
    const { fs } = this.rig, handle = fs.open(FS_ROOT, path, 0o200000, 0);
    if (handle < 0) return handle;
    const names: string[] = [];
    for (let cookie = 0;;) {
      const entries = fs.list(handle, cookie, 7);
      if (typeof entries === "number") return entries;
      if (entries.length === 0) break;
      for (const entry of entries) {
        if (entry.name === "." || entry.name === "..") assert.equal(entry.type, directoryType(S_IFDIR));
        else names.push(entry.name);
      }
      cookie = entries[entries.length - 1].next;
    }
    fs.close(handle);
    return names.filter((name) => path !== "." || !["dev", "proc", "sys"].includes(name)).sort();
  }
}

/** Fails with the operations up to the first difference. */
export function expectSame(operations: readonly Operation[], guest: readonly Result[], real: readonly Result[]): void {
  const i = operations.findIndex((_, index) => JSON.stringify(guest[index]) !== JSON.stringify(real[index]));
  if (i < 0) return;
  const trail = operations.slice(Math.max(0, i - 30), i + 1).map((operation, j) =>
    `${JSON.stringify(operation)} -> ${JSON.stringify(real[Math.max(0, i - 30) + j])}`
  ).join("\n");
  assert.fail(`The file service says ${JSON.stringify(guest[i])}, Linux ${JSON.stringify(real[i])}:\n${trail}`);
}
