import { E } from "../abi/errno.ts";
import type { Thread } from "../process/thread.ts";
import type { OpenFile } from "./open_file.ts";

/** The descriptors of a process; shared by several with CLONE_FILES. */
export class FdTable {
  /** Processes and threads that use it. */
  users = 1;
  readonly files: (OpenFile | undefined)[] = [];
  readonly #cloexec: boolean[] = [];
  /** No descriptor below this one is free. */
  #lowestFree = 0;

  get(fd: number): OpenFile | undefined {
    return this.files[fd];
  }

  /** Puts a file (whose reference passes to the table) at the lowest free descriptor >= `from`; -EMFILE at the limit. */
  add(file: OpenFile, cloexec: boolean, limit: number, from = 0): number {
    let fd = Math.max(from, this.#lowestFree);
    while (this.files[fd] !== undefined) fd++;
    if (fd >= limit) return -E.EMFILE;
    this.files[fd] = file;
    this.#cloexec[fd] = cloexec;
    if (from <= this.#lowestFree) this.#lowestFree = fd + 1;
    return fd;
  }

  /** dup2: replaces what is at `fd`. */
  place(t: Thread, fd: number, file: OpenFile, cloexec: boolean): void {
    const old = this.files[fd];
    while (this.files.length < fd) this.files.push(undefined);
    this.files[fd] = file;
    this.#cloexec[fd] = cloexec;
    if (old !== undefined) this.closeFile(t, old);
  }

  close(t: Thread, fd: number): number {
    const file = this.files[fd];
    if (file === undefined) return -E.EBADF;
    this.files[fd] = undefined;
    if (fd < this.#lowestFree) this.#lowestFree = fd;
    this.closeFile(t, file);
    return 0;
  }

  closeFile(t: Thread | undefined, file: OpenFile): void {
    file.close(t);
  }

  isCloexec(fd: number): boolean {
    return this.#cloexec[fd] === true;
  }

  setCloexec(fd: number, on: boolean): void {
    this.#cloexec[fd] = on;
  }

  /** execve(2). */
  closeOnExec(t: Thread): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== undefined && this.#cloexec[fd]) this.close(t, fd);
  }

  closeAll(t: Thread): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== undefined) this.close(t, fd);
  }

  copy(): FdTable {
    const copy = new FdTable();
    for (let fd = 0; fd < this.files.length; fd++) {
      copy.files[fd] = this.files[fd]?.dup();
      copy.#cloexec[fd] = this.#cloexec[fd] ?? false;
    }
    copy.#lowestFree = this.#lowestFree;
    return copy;
  }
}
