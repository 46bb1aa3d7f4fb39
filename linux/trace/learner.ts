import { E } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/fcntl.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { CallObserver } from "./observer.ts";

const MAX_PATH = 4096;
/** Calls that fail for lack of memory, and of tasks. */
const MEMORY_CALLS: readonly string[] = ["mmap", "mremap", "brk"];
const TASK_CALLS: readonly string[] = ["fork", "vfork", "clone", "clone3"];

/** `--learn`: notes which calls failed for lack of something that the user could have granted. */
export class Learner implements CallObserver {
  readonly #os: Personality;
  /** Absolute path that the running call of each thread is about: after execve its text is gone. */
  readonly #paths = new Map<number, string>();
  readonly #asked = new Map<number, number>();

  constructor(os: Personality) {
    this.#os = os;
  }

  enter(t: Thread, number: number): void {
    const row = this.#os.dispatcher.row(number), at = row?.args.indexOf("path") ?? -1;
    if (row?.name === "brk") this.#asked.set(t.tid, t.arg(0));
    if (row === undefined || at < 0) return;
    const path = t.process.user.string(t.arg(at), MAX_PATH);
    if (path === undefined || path === "") return;
    if (path.startsWith("/")) this.#paths.set(t.tid, path);
    else if (row.args[at - 1] !== "dirfd" || t.int(at - 1) === AT_FDCWD) {
      this.#paths.set(t.tid, `${this.#os.pathOf(t.process.fsContext.cwd).replace(/\/$/, "")}/${path}`);
    }
  }

  leave(t: Thread, number: number, result: number): void {
    const row = this.#os.dispatcher.row(number), path = this.#paths.get(t.tid), asked = this.#asked.get(t.tid);
    this.#paths.delete(t.tid);
    this.#asked.delete(t.tid);
    if (row === undefined) return;
    const { refusals } = this.#os;
    // What is missing here only for speed (rseq) is no loss.
    if (row.support.level === "none" && (row.support.counted || row.support.errno !== E.ENOSYS)) {
      refusals.note(t, { kind: "call", name: row.name });
    } else if (path !== undefined && result === -E.ENOENT) refusals.note(t, { kind: "file", path });
    // brk() tells by the break that stays where it was.
    else if (MEMORY_CALLS.includes(row.name) && (result === -E.ENOMEM || asked !== undefined && result < asked)) {
      refusals.note(t, { kind: "memory" });
    } else if (TASK_CALLS.includes(row.name) && result === -E.EAGAIN) refusals.note(t, { kind: "tasks" });
  }

  ended(t: Thread): void {
    this.#paths.delete(t.tid);
    this.#asked.delete(t.tid);
  }

  finished(): void {
    this.#os.options.learned?.([...this.#os.refusals.all]);
  }
}

/** Tells both. */
export function both(a: CallObserver, b: CallObserver): CallObserver {
  return {
    enter: (t, number) => (a.enter(t, number), b.enter(t, number)),
    leave: (t, number, result) => (a.leave(t, number, result), b.leave(t, number, result)),
    signal: (t, info) => (a.signal?.(t, info), b.signal?.(t, info)),
    spawned: (t, path, argv, variables) => (a.spawned?.(t, path, argv, variables), b.spawned?.(t, path, argv, variables)),
    ended: (t) => (a.ended(t), b.ended(t)),
    finished: () => (a.finished?.(), b.finished?.()),
  };
}
