import type { FsStat } from "../../fs/api.ts";
import { O_RDWR, POLLIN } from "../abi/fcntl.ts";
import { Life, type Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { WaitQueue } from "../process/wait.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** pidfd_open(2): a process by descriptor; readable when it has ended. */
export class PidFd extends OpenFile {
  readonly process: Process;
  readonly #ino: number;

  constructor(process: Process, ino: number, flags: number) {
    super(O_RDWR | flags);
    this.process = process;
    this.#ino = ino;
  }

  override get path(): string {
    return "anon_inode:[pidfd]";
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, 0o600, this.#ino);
  }

  override pollQueue(): WaitQueue {
    return this.process.endQueue;
  }

  override poll(): number {
    const { life } = this.process;
    return life === Life.Zombie || life === Life.Gone ? POLLIN : 0;
  }
}
