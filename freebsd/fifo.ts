import { type Result, WaitQueue } from "../linux/process/wait.ts";
import { E } from "./abi/errno.ts";
import { O_NONBLOCK, PipeBuffer, PipeFile, waitFor } from "./files.ts";
import type { Thread } from "./thread.ts";

const O_ACCMODE = 3, O_WRONLY = 1;

/** An end of a FIFO, which is forgotten with the last one. */
class FifoFile extends PipeFile {
  key = "";

  override close(): void {
    super.close();
    if (this.pipe.readers === 0 && this.pipe.writers === 0) this.os.fifos.delete(this.key);
  }
}

/** open(2) of the FIFO that `key` names: waits for the other side, unless O_NONBLOCK (then a writer without a reader gets ENXIO). */
export function openFifo(t: Thread, key: string, flags: number, closeOnExec: boolean): Result {
  const mode = flags & O_ACCMODE, writes = mode === O_WRONLY;
  if (mode > O_WRONLY) return -E.EOPNOTSUPP;
  let pipe = t.os.fifos.get(key);
  if (writes && (flags & O_NONBLOCK) !== 0 && (pipe === undefined || pipe.readers === 0)) return -E.ENXIO;
  if (pipe === undefined) {
    pipe = new PipeBuffer(new WaitQueue());
    pipe.readers = pipe.writers = 0;
    t.os.fifos.set(key, pipe);
  }
  const buffer = pipe, file = new FifoFile(t.os, buffer, writes, flags);
  file.key = key;
  if (writes) buffer.writers++;
  else buffer.readers++;
  buffer.opens++;
  buffer.changed();
  const add = (): number => t.process.add(file, closeOnExec);
  if ((flags & O_NONBLOCK) !== 0 || (writes ? buffer.readers : buffer.writers) > 0) return add();
  const before = buffer.opens;
  const other = () => (writes ? buffer.readers : buffer.writers) > 0 || buffer.opens > before;
  return (function* () {
    const result = yield* waitFor(t, file.queue, () => other() ? 0 : -E.EAGAIN);
    if (result === 0) return add();
    file.close();
    return result;
  })();
}
