import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, Woken } from "../process/wait.ts";
import type { OpenFile } from "./open_file.ts";
import { Pipe, PipeEnd } from "./pipe.ts";

/** One end of a named pipe. Owns its handle of the file service. */
export class FifoEnd extends PipeEnd {
  readonly #handle: number;
  readonly #key: string;
  /** What the other side's counter must exceed before open() returns. */
  readonly #seen: number;

  constructor(pipe: Pipe, key: string, handle: number, flags: number) {
    super(pipe, flags);
    this.#key = key;
    this.#handle = handle;
    this.#seen = this.isReader ? pipe.writerOpens : pipe.readerOpens;
  }

  override get handle(): number {
    return this.#handle;
  }

  /** Must open() wait for the other side? */
  get alone(): boolean {
    const { pipe } = this;
    if (this.isReader && this.isWriter) return false;
    return this.isReader
      ? pipe.writers === 0 && pipe.writerOpens === this.#seen
      : pipe.readers === 0 && pipe.readerOpens === this.#seen;
  }

  override get path(): string {
    return this.pipe.os.pathOf(this.#handle);
  }

  override stat(t: Thread, out: FsStat): number {
    return t.fs.fstat(this.#handle, out);
  }

  protected override closed(t: Thread | undefined): void {
    super.closed(t);
    if (this.pipe.ends.length === 0) this.pipe.os.fifos.delete(this.#key);
    this.pipe.os.fs.close(this.#handle);
  }
}

/** Opens a FIFO; waiting for the other side is the caller's business (`waitForPeer`). */
export function openFifo(t: Thread, handle: number, stat: FsStat, flags: number): OpenFile | number {
  const key = `${stat.dev}:${stat.ino}`;
  let pipe = t.os.fifos.get(key);
  if (pipe === undefined) {
    pipe = new Pipe(t.os, stat.ino);
    t.os.fifos.set(key, pipe);
  }
  const end = new FifoEnd(pipe, key, handle, flags);
  if (end.nonBlocking && end.isWriter && !end.isReader && pipe.readers === 0) {
    end.close(t);
    return -E.ENXIO;
  }
  return end;
}

/** The blocking half of open(): 0 when the other side is there. */
export function* waitForPeer(t: Thread, end: FifoEnd): Blocking {
  end.queue.add(t);
  try {
    while (end.alone) if ((yield* t.sleep(0)) === Woken.Interrupted) return -E.ERESTARTSYS;
    return 0;
  } finally {
    end.queue.remove(t);
  }
}
