import type { Ec, Sc } from "./objects.ts";

/** Priorities 1..127 are usable, 0 is the idle SC's (ABI 9.1). */
export const PRIORITIES = 128;

/** Ready SCs: one ring per priority, and a bitmap of the rings that are not empty. */
export class ReadyQueue {
  readonly #head: (Sc | undefined)[] = new Array(PRIORITIES).fill(undefined);
  readonly #bits = new Uint32Array(PRIORITIES / 32);

  /** To the tail, or to the head when budget is left; an empty budget is refilled (ABI 9.1). */
  enqueue(sc: Sc): void {
    const p = sc.priority, head = this.#head[p];
    if (head) {
      const tail = head.previous ?? head;
      sc.next = head;
      sc.previous = tail;
      head.previous = tail.next = sc;
      if (sc.left > 0) this.#head[p] = sc;
    } else {
      sc.next = sc.previous = sc;
      this.#head[p] = sc;
      this.#bits[p >> 5] |= 1 << (p & 31);
    }
    sc.queued = true;
    if (sc.left <= 0) sc.left = sc.quantum;
  }

  remove(sc: Sc): void {
    if (!sc.queued) return;
    const p = sc.priority, next = sc.next;
    if (next === sc || next === undefined) {
      this.#head[p] = undefined;
      this.#bits[p >> 5] &= ~(1 << (p & 31));
    } else {
      next.previous = sc.previous;
      if (sc.previous) sc.previous.next = next;
      if (this.#head[p] === sc) this.#head[p] = next;
    }
    sc.next = sc.previous = undefined;
    sc.queued = false;
  }

  /** Takes the first SC of the highest priority. */
  take(): Sc | undefined {
    for (let w = this.#bits.length - 1; w >= 0; w--) {
      const bits = this.#bits[w];
      if (bits === 0) continue;
      const sc = this.#head[w * 32 + 31 - Math.clz32(bits)];
      if (sc) this.remove(sc);
      return sc;
    }
    return undefined;
  }

  /** Is an SC of this priority ready? */
  has(priority: number): boolean {
    return this.#head[priority] !== undefined;
  }

  get empty(): boolean {
    return (this.#bits[0] | this.#bits[1] | this.#bits[2] | this.#bits[3]) === 0;
  }
}

/** ECs blocked with a deadline: a binary heap; each EC knows its place, so that a wake-up takes it out at once. */
export class TimerHeap {
  readonly #heap: Ec[] = [];

  /** Earliest deadline, or Infinity. */
  get next(): number {
    return this.#heap.length > 0 ? this.#heap[0].deadline : Infinity;
  }

  get first(): Ec | undefined {
    return this.#heap[0];
  }

  add(ec: Ec): void {
    this.#heap.push(ec);
    ec.timerIndex = this.#heap.length - 1;
    this.#up(ec.timerIndex);
  }

  remove(ec: Ec): void {
    const i = ec.timerIndex;
    if (i < 0) return;
    ec.timerIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === ec) return;
    this.#place(i, last);
    this.#up(i);
    this.#down(last.timerIndex);
  }

  #place(i: number, ec: Ec): void {
    this.#heap[i] = ec;
    ec.timerIndex = i;
  }

  #up(i: number): void {
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#heap[parent].deadline <= this.#heap[i].deadline) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(i: number): void {
    for (;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.#heap.length && this.#heap[child].deadline < this.#heap[least].deadline) least = child;
      }
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(i: number, j: number): void {
    const a = this.#heap[i], b = this.#heap[j];
    this.#place(i, b);
    this.#place(j, a);
  }
}
