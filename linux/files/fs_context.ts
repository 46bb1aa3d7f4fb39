import type { Thread } from "../process/thread.ts";

/** Working directory and umask: shared by processes with CLONE_FS. */
export class FsContext {
  users = 1;
  /** Handle of the file service, owned. */
  cwd: number;
  /** Path of the working directory when that is in /proc or /sys; `cwd` is then the file system's root directory. */
  virtualCwd: string | undefined;
  umask: number;

  constructor(cwd: number, umask = 0o022) {
    this.cwd = cwd;
    this.umask = umask;
  }

  copy(t: Thread): FsContext {
    t.fs.dup(this.cwd);
    const copy = new FsContext(this.cwd, this.umask);
    copy.virtualCwd = this.virtualCwd;
    return copy;
  }

  /** Goes to another directory: takes over `handle`, or for one in /proc or /sys its path. */
  enter(t: Thread, handle: number, virtualPath?: string): void {
    t.fs.close(this.cwd);
    this.cwd = handle;
    this.virtualCwd = virtualPath;
  }

  release(t: Thread): void {
    if (--this.users === 0) t.fs.close(this.cwd);
  }
}
