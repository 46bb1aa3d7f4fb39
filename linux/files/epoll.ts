import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_RDWR, POLLERR, POLLHUP, POLLIN } from "../abi/fcntl.ts";
import type { Thread } from "../process/thread.ts";
import type { Sleeper, WaitQueue } from "../process/wait.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** EPOLL* flags beyond the POLL* events: include/uapi/linux/eventpoll.h. */
const EPOLLEXCLUSIVE = 1 << 28, EPOLLONESHOT = 1 << 30, EPOLLET = 1 << 31;
const CTL_ADD = 1, CTL_DEL = 2, CTL_MOD = 3;
/** Epolls in epolls in epolls: EP_MAX_NESTS. */
const MAX_NESTING = 4;

/** One watched file. It sleeps in the file's queue for ever: each wake says that the file may have become ready. */
export class EpollItem implements Sleeper {
  readonly epoll: Epoll;
  readonly fd: number;
  readonly file: OpenFile;
  readonly queue: WaitQueue;
  events = 0;
  dataLo = 0;
  dataHi = 0;
  /** EPOLLONESHOT has fired. */
  disabled = false;

  constructor(epoll: Epoll, fd: number, file: OpenFile, queue: WaitQueue) {
    this.epoll = epoll;
    this.fd = fd;
    this.file = file;
    this.queue = queue;
  }

  wake(): void {
    if (this.disabled) return;
    this.epoll.ready.add(this);
    this.epoll.queue.wakeAll();
  }

  remove(): void {
    this.queue.remove(this);
    this.file.watchers?.delete(this);
    this.epoll.forget(this);
  }
}

export class Epoll extends OpenFile {
  /** Items that may have events; looked at by the next wait. */
  readonly ready = new Set<EpollItem>();
  readonly #items = new Map<number, EpollItem[]>();
  readonly #ino: number;

  constructor(ino: number) {
    super(O_RDWR);
    this.#ino = ino;
  }

  override get path(): string {
    return "anon_inode:[eventpoll]";
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, 0o600, this.#ino);
  }

  /** noop_llseek. */
  override seek(): number {
    return 0;
  }

  override poll(t: Thread): number {
    for (const item of this.ready) if (this.#eventsOf(t, item) !== 0) return POLLIN;
    return 0;
  }

  /** epoll_ctl(2). */
  control(t: Thread, operation: number, fd: number, file: OpenFile, events: number, lo: number, hi: number): number {
    if (file === this) return -E.EINVAL;
    const item = this.#items.get(fd)?.find((each) => each.file === file);
    switch (operation) {
      case CTL_ADD: {
        if (item !== undefined) return -E.EEXIST;
        if (file instanceof Epoll && file.#depth(this) > MAX_NESTING) return -E.ELOOP;
        if (!file.pollable) return -E.EPERM;
        const added = new EpollItem(this, fd, file, file.pollQueue(t));
        const list = this.#items.get(fd);
        if (list === undefined) this.#items.set(fd, [added]);
        else list.push(added);
        added.queue.add(added);
        (file.watchers ??= new Set()).add(added);
        this.#arm(added, events, lo, hi);
        return 0;
      }
      case CTL_DEL:
        if (item === undefined) return -E.ENOENT;
        item.remove();
        return 0;
      case CTL_MOD:
        if (item === undefined) return -E.ENOENT;
        if ((events & EPOLLEXCLUSIVE) !== 0) return -E.EINVAL;
        this.#arm(item, events, lo, hi);
        return 0;
    }
    return -E.EINVAL;
  }

  /** Levels of epolls below this one; more than MAX_NESTING when `target` is among them. */
  #depth(target: Epoll): number {
    let depth = 1;
    for (const list of this.#items.values()) {
      for (const { file } of list) {
        if (file === target) return MAX_NESTING + 1;
        if (file instanceof Epoll) depth = Math.max(depth, 1 + file.#depth(target));
      }
    }
    return depth;
  }

  #arm(item: EpollItem, events: number, lo: number, hi: number): void {
    item.events = events | POLLERR | POLLHUP;
    item.dataLo = lo;
    item.dataHi = hi;
    item.disabled = false;
    item.wake();
  }

  #eventsOf(t: Thread, item: EpollItem): number {
    return item.disabled ? 0 : item.file.pollAll(t) & item.events & 0xffff;
  }

  /** Takes up to `max` events; `put` writes one. Returns their number, or -EFAULT. */
  collect(t: Thread, max: number, put: (i: number, events: number, lo: number, hi: number) => boolean): number {
    let count = 0;
    // Level-triggered items go to the end, so that none starves.
    for (const item of [...this.ready]) {
      if (count >= max) break;
      this.ready.delete(item);
      const events = this.#eventsOf(t, item);
      if (events === 0) continue;
      if (!put(count, events, item.dataLo, item.dataHi)) {
        this.ready.add(item);
        return count > 0 ? count : -E.EFAULT;
      }
      count++;
      if ((item.events & EPOLLONESHOT) !== 0) item.disabled = true;
      else if ((item.events & EPOLLET) === 0) this.ready.add(item);
    }
    return count;
  }

  forget(item: EpollItem): void {
    this.ready.delete(item);
    const list = this.#items.get(item.fd)?.filter((each) => each !== item) ?? [];
    if (list.length === 0) this.#items.delete(item.fd);
    else this.#items.set(item.fd, list);
  }

  protected override closed(): void {
    for (const list of [...this.#items.values()]) for (const item of [...list]) item.remove();
  }
}
