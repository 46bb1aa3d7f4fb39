import { FS_ROOT } from "../../fs/api.ts";
import type { Thread } from "../process/thread.ts";

/** Working directory and umask: shared by processes with CLONE_FS. */
export class FsContext {
  users = 1;
  /** Handle of the file service, owned. */
  cwd: number;
  /** Path of the working directory when that is in /proc or /sys; `cwd` is then the file system's root directory. */
  virtualCwd: string | undefined;
  /** chroot(): handle of the directory where absolute paths begin; owned, but for FS_ROOT. */
  root = FS_ROOT;
  umask: number;

  constructor(cwd: number, umask = 0o022) {
    this.cwd = cwd;
    this.umask = umask;
  }

  copy(t: Thread): FsContext {
    t.fs.dup(this.cwd);
    const copy = new FsContext(this.cwd, this.umask);
    copy.virtualCwd = this.virtualCwd;
    copy.root = this.root;
    if (this.root !== FS_ROOT) t.fs.dup(this.root);
    return copy;
  }

  /** Goes to another directory: takes over `handle`, or for one in /proc or /sys its path. */
  enter(t: Thread, handle: number, virtualPath?: string): void {
    t.fs.close(this.cwd);
    this.cwd = handle;
    this.virtualCwd = virtualPath;
  }

  /** chroot(): takes over `handle`. */
  setRoot(t: Thread, handle: number): void {
    const { fs } = t, old = this.root;
    this.root = handle;
    if (old === FS_ROOT) return;
    // The service is to know the new root before the old one goes.
    void t.fs;
    fs.close(old);
  }

  release(t: Thread): void {
    if (--this.users > 0) return;
    const { fs } = t, { root } = this;
    fs.close(this.cwd);
    if (root === FS_ROOT) return;
    this.root = FS_ROOT;
    void t.fs;
    fs.close(root);
  }
}
