import * as T from "../abi/ioctl.ts";
import { C_CC, C_IFLAG, C_LFLAG, C_OFLAG } from "../abi/ioctl.ts";
import type { Personality } from "../personality.ts";
import { WaitQueue } from "../process/wait.ts";
import { SI_KERNEL, SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";

const NEWLINE = 10, RETURN = 13, BACKSPACE = 8, SPACE = 32, DELETE = 127;
/** Longest line and most input that waits: N_TTY_BUF_SIZE. */
const INPUT_LIMIT = 4096;

/** A terminal: settings, line discipline (drivers/tty/n_tty.c) and the processes it belongs to. */
export class Tty {
  /** Of its name in /dev/pts: group 5 is "tty", as with devpts' gid=5,mode=620. */
  readonly owner = { uid: 0, gid: 5, mode: 0o620 };
  readonly os: Personality;
  readonly termios = T.standardTermios();
  readonly #data: DataView;
  rows = 24;
  columns = 80;
  /** Foreground process group and session, 0 = none. */
  foreground = 0;
  session = 0;
  /** Threads that read or poll the terminal's side of the programs. */
  readonly queue = new WaitQueue();
  /** The line that is being edited. */
  #line: number[] = [];
  /** Complete lines (each one array), or raw bytes. An empty array is an end of file. */
  readonly #ready: number[][] = [];
  #readyBytes = 0;
  #literal = false;
  /** The other side is gone. */
  hungUp = false;
  /** Output and echo go there, after output processing. */
  readonly #output: (bytes: Uint8Array<ArrayBuffer>) => void;

  /** Output is processed (OPOST) further on: by the host's terminal. */
  readonly #processedElsewhere: boolean;

  constructor(os: Personality, output: (bytes: Uint8Array<ArrayBuffer>) => void, processedElsewhere = false) {
    this.os = os;
    this.#processedElsewhere = processedElsewhere;
    this.#data = new DataView(this.termios.buffer);
    this.#output = output;
  }

  #has(field: number, bit: number): boolean {
    return (this.#data.getUint32(field, true) & bit) !== 0;
  }

  local(bit: number): boolean {
    return this.#has(C_LFLAG, bit);
  }

  control(index: number): number {
    return this.termios[C_CC + index];
  }

  get canonical(): boolean {
    return this.local(T.ICANON);
  }

  /** New settings; input that waits changes its form with ICANON. */
  configure(bytes: Uint8Array, flush: boolean): void {
    const was = this.canonical;
    this.termios.set(bytes.subarray(0, T.TERMIOS_BYTES));
    if (flush) this.flushInput();
    if (was && !this.canonical && this.#line.length > 0) {
      this.#push(this.#line);
      this.#line = [];
    }
    this.queue.wakeAll();
  }

  flushInput(): void {
    this.#line = [];
    this.#ready.length = 0;
    this.#readyBytes = 0;
  }

  get readable(): boolean {
    return this.#ready.length > 0 || this.hungUp;
  }

  get pendingBytes(): number {
    return this.#readyBytes;
  }

  #push(bytes: number[]): void {
    this.#ready.push(bytes);
    this.#readyBytes += bytes.length;
    this.queue.wakeAll();
  }

  // ---- output -----------------------------------------------------------------------------------------------------------

  /** What a program writes, as the terminal shows it. */
  process(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const post = this.#has(C_OFLAG, T.OPOST);
    const newline = post && this.#has(C_OFLAG, T.ONLCR), carriage = post && this.#has(C_OFLAG, T.OCRNL);
    if (!newline && !carriage) return new Uint8Array(bytes);
    const out: number[] = [];
    for (const c of bytes) {
      if (c === NEWLINE && newline) out.push(RETURN);
      out.push(c === RETURN && carriage ? NEWLINE : c);
    }
    return new Uint8Array(out);
  }

  #show(...bytes: number[]): void {
    const shown = new Uint8Array(bytes);
    this.#output(this.#processedElsewhere ? shown : this.process(shown));
  }

  #echo(c: number): void {
    if (!this.local(T.ECHO)) {
      if (c === NEWLINE && this.local(T.ECHONL) && this.canonical) this.#show(NEWLINE);
      return;
    }
    if (c < SPACE && c !== NEWLINE && c !== 9 && this.local(T.ECHOCTL)) this.#show(0x5e, c + 0x40);
    else if (c === DELETE && this.local(T.ECHOCTL)) this.#show(0x5e, 0x3f);
    else this.#show(c);
  }

  // ---- input ------------------------------------------------------------------------------------------------------------

  /** Bytes from the keyboard. */
  receive(bytes: Uint8Array): void {
    const raw: number[] = [];
    for (const byte of bytes) this.#one(byte, raw);
    if (raw.length > 0 && this.#readyBytes < INPUT_LIMIT) this.#push(raw);
  }

  #one(byte: number, raw: number[]): void {
    let c = byte;
    if (this.#literal) {
      this.#literal = false;
      this.#keep(c, raw);
      return;
    }
    if (this.local(T.ISIG) && this.#signal(c)) return;
    if (c === RETURN) {
      if (this.#has(C_IFLAG, T.IGNCR)) return;
      if (this.#has(C_IFLAG, T.ICRNL)) c = NEWLINE;
    } else if (c === NEWLINE && this.#has(C_IFLAG, T.INLCR)) c = RETURN;
    if (this.canonical && this.#edit(c)) return;
    this.#keep(c, raw);
  }

  #keep(c: number, raw: number[]): void {
    if (!this.canonical) {
      this.#echo(c);
      raw.push(c);
      return;
    }
    if (this.#line.length >= INPUT_LIMIT) return;
    this.#echo(c);
    this.#line.push(c);
  }

  #is(c: number, index: number): boolean {
    return c !== 0 && this.control(index) === c;
  }

  #signal(c: number): boolean {
    const signal = this.#is(c, T.VINTR) ? SIG.INT : this.#is(c, T.VQUIT) ? SIG.QUIT : this.#is(c, T.VSUSP) ? SIG.TSTP : 0;
    if (signal === 0) return false;
    if (!this.local(T.NOFLSH)) this.flushInput();
    this.#echo(c);
    this.signalForeground(signal);
    return true;
  }

  signalForeground(signal: number): void {
    if (this.foreground === 0) return;
    for (const p of [...this.os.processes.values()]) {
      if (p.pgid === this.foreground) this.os.signals.sendToProcess(p, sigInfo(signal, SI_KERNEL));
    }
  }

  /** Line editing; true when the character is dealt with. */
  #edit(c: number): boolean {
    const extended = this.local(T.IEXTEN);
    if (this.#is(c, T.VERASE)) this.#erase(1);
    else if (this.#is(c, T.VKILL)) this.#erase(Infinity);
    else if (extended && this.#is(c, T.VWERASE)) this.#eraseWord();
    else if (extended && this.#is(c, T.VLNEXT)) {
      this.#literal = true;
      if (this.local(T.ECHO) && this.local(T.ECHOCTL)) this.#show(0x5e, BACKSPACE);
    } else if (this.#is(c, T.VEOF)) {
      this.#push(this.#line);
      this.#line = [];
    } else if (c === NEWLINE || this.#is(c, T.VEOL) || extended && this.#is(c, T.VEOL2)) {
      this.#echo(c);
      this.#push([...this.#line, c]);
      this.#line = [];
    } else return false;
    return true;
  }

  #erase(count: number): void {
    for (let i = 0; i < count && this.#line.length > 0; i++) {
      let c = this.#line.pop() as number;
      // A UTF-8 sequence is one character on the screen.
      while ((c & 0xc0) === 0x80 && this.#line.length > 0) c = this.#line.pop() as number;
      if (!this.local(T.ECHO) || !this.local(T.ECHOE)) continue;
      const width = c < SPACE || c === DELETE ? (this.local(T.ECHOCTL) ? 2 : 0) : 1;
      for (let j = 0; j < width; j++) this.#show(BACKSPACE, SPACE, BACKSPACE);
    }
  }

  #eraseWord(): void {
    const blank = (c: number | undefined): boolean => c === SPACE || c === 9;
    while (blank(this.#line.at(-1))) this.#erase(1);
    while (this.#line.length > 0 && !blank(this.#line.at(-1))) this.#erase(1);
  }

  /** Takes up to `max` bytes for a reader: one line, or what there is. Undefined when it has to wait. */
  take(max: number): number[] | undefined {
    const first = this.#ready[0];
    if (first === undefined) return this.hungUp ? [] : undefined;
    let out: number[];
    if (this.canonical) {
      out = first.splice(0, max);
      // A line that is read to its end goes; so does an end of file.
      if (first.length === 0) this.#ready.shift();
    } else {
      out = [];
      while (out.length < max && this.#ready.length > 0) {
        out.push(...this.#ready[0].splice(0, max - out.length));
        if (this.#ready[0].length === 0) this.#ready.shift();
      }
    }
    this.#readyBytes -= out.length;
    return out;
  }

  /** Bytes that wait, for the VMIN test. */
  get available(): number {
    return this.#readyBytes;
  }

  resize(rows: number, columns: number): void {
    if (rows === this.rows && columns === this.columns) return;
    this.rows = rows;
    this.columns = columns;
    this.signalForeground(SIG.WINCH);
  }

  /** The other side is gone: SIGHUP and SIGCONT for the session's leader and the foreground group. */
  hangUp(): void {
    this.hungUp = true;
    for (const p of [...this.os.processes.values()]) {
      if (p.pid !== this.session && (this.foreground === 0 || p.pgid !== this.foreground)) continue;
      this.os.signals.sendToProcess(p, sigInfo(SIG.HUP, SI_KERNEL));
      this.os.signals.sendToProcess(p, sigInfo(SIG.CONT, SI_KERNEL));
    }
    this.queue.wakeAll();
  }
}
