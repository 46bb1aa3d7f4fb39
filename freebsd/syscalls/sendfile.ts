import type { Blocking, Result } from "../../linux/process/wait.ts";
import { E, fromService } from "../abi/errno.ts";
import { O_NONBLOCK, waitFor } from "../files.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { SocketFile } from "../sockets.ts";
import type { Thread } from "../thread.ts";
import { failed } from "./io.ts";
import { sys, type SyscallRow } from "./row.ts";

/**
 * sendfile(fd, s, offset, nbytes, hdtr, sbytes, flags): file `fd` to the stream `s`; 0 bytes = to the end. What was sent is told in
 * *sbytes even when the call fails, for example with EAGAIN.
 */
function sendfile(t: Thread): Result {
  const file = t.process.files.get(t.int(0)), socket = t.process.files.get(t.int(1)), offset = t.long(2), limit = t.arg(3);
  if (file === undefined || socket === undefined) return -E.EBADF;
  if (file.handle === undefined || offset < 0 || t.arg(4) !== 0) return -E.EINVAL;
  if (!(socket instanceof SocketFile)) return -E.ENOTSOCK;
  if (!socket.isStream || socket.connected === undefined) return -E.ENOTCONN;
  const { handle } = file, end = limit === 0 ? Infinity : offset + limit;
  let at = offset;
  const attempt = (): number => {
    while (at < end) {
      const got = fromService(t.os.fs.read(handle, at, t.os.buffer, Math.min(BUFFER_BYTES, end - at)));
      if (got <= 0) return got;
      const sent = socket.send(t.os.u8.subarray(t.os.buffer, t.os.buffer + got), undefined);
      if (sent < 0) return sent === -E.EPIPE ? failed(t, sent) : sent;
      at += sent;
    }
    return 0;
  };
  const told = (result: number): number => {
    if (t.arg(5) !== 0 && !t.process.user.putU64(t.arg(5), at - offset)) return -E.EFAULT;
    return result;
  };
  const now = attempt();
  if (now !== -E.EAGAIN || (socket.flags & O_NONBLOCK) !== 0) return told(now);
  return (function* (): Blocking {
    return told(yield* waitFor(t, socket.queue, attempt));
  })();
}

export const SENDFILE_CALLS: readonly SyscallRow[] = [sys(393, "sendfile", 7, sendfile, "no headers and trailers")];
