import { E } from "../abi/errno.ts";
import * as A from "../abi/socket.ts";
import { timespecNs } from "../abi/structs.ts";
import { putU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import type { Blocking, Result } from "../process/wait.ts";
import { MSGHDR_BYTES, receiveMessage, sendOne, socketArg } from "./transfer.ts";

/** struct mmsghdr: a msghdr and the bytes moved. */
const MMSGHDR_BYTES = 64;
/** UIO_MAXIOV. */
const MAX_MESSAGES = 1024;
const NS = 1_000_000_000;

/** Runs `one` on each message until one fails, or `over` says that it was the last. */
function* several(
  t: Thread,
  one: (at: number, i: number) => Result,
  over: (bytes: number) => boolean,
  ended: (done: number) => number = (done) => done,
): Blocking {
  const start = t.arg(1), count = Math.min(t.uint(2), MAX_MESSAGES);
  let done = 0;
  for (let i = 0; i < count; i++) {
    const at = start + i * MMSGHDR_BYTES;
    const result = one(at, i);
    const bytes: number = typeof result === "number" ? result : yield* result;
    if (bytes < 0) return done > 0 ? ended(done) : bytes;
    t.process.user.putU32(at + MSGHDR_BYTES, bytes);
    done++;
    if (over(bytes)) break;
  }
  return ended(done);
}

/** sendmmsg(2). */
export function sendmmsg(t: Thread): Result {
  const s = socketArg(t, 0);
  return typeof s === "number" ? s : several(t, (at) => sendOne(t, s, at, t.int(3)), () => false);
}

/** recvmmsg(2): the time limit is looked at after each message, as Linux does. */
export function recvmmsg(t: Thread): Result {
  const { user } = t.process;
  const timeAt = t.arg(4);
  let deadline = Infinity;
  if (timeAt !== 0) {
    const at = user.in(timeAt, 16);
    if (at < 0) return -E.EFAULT;
    const ns = timespecNs(user.data, at);
    if (ns < 0) return -E.EINVAL;
    deadline = t.os.now() + ns;
  }
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const flags = t.int(3);
  const one = (at: number, i: number): Result => {
    const later = i > 0 && (flags & A.MSG_WAITFORONE) !== 0;
    return receiveMessage(t, s, at, flags & ~A.MSG_WAITFORONE | (later ? A.MSG_DONTWAIT : 0));
  };
  return several(t, one, (bytes) => bytes === 0 && s.connectionOriented || t.os.now() >= deadline, (done) => {
    if (deadline === Infinity) return done;
    const left = Math.max(0, deadline - t.os.now());
    const at = user.out(timeAt, 16);
    if (at < 0) return -E.EFAULT;
    putU64(user.data, at, Math.floor(left / NS));
    putU64(user.data, at + 8, left % NS);
    user.done();
    return done;
  });
}
