import type { Thread } from "../process/thread.ts";

/** Working directory and umask: shared by processes with CLONE_FS. */
export class FsContext {
  users = 1;
  /** Handle of the file service, owned. */
  cwd: number;
  umask: number;

  constructor(cwd: number, umask = 0o022) {
    this.cwd = cwd;
    this.umask = umask;
  }

  copy(t: Thread): FsContext {
    t.fs.dup(this.cwd);
    return new FsContext(this.cwd, this.umask);
  }

  release(t: Thread): void {
    if (--this.users === 0) t.fs.close(this.cwd);
  }
}
