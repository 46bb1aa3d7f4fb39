import type { Prebuilt } from "../cpu/api.ts";

/**
 * What the machine needs from its host. Only `host/` and `main.ts` touch `Deno.*`; the core sees these interfaces.
 * Failures are values: a negative Linux errno (for example -2, ENOENT), never an exception.
 */
export interface Host {
  /** Monotonic nanoseconds, an exact integer below 2^53. */
  now(): number;
  /** Wall-clock nanoseconds since 1970 as [seconds, nanoseconds]. */
  wallClock(): [number, number];
  random(out: Uint8Array): void;
  /** Modules that the CPU would otherwise have to generate (cpu/prebuilt/). */
  prebuilt?(): Prebuilt | undefined;
  readonly stdin: HostInput;
  readonly stdout: HostOutput;
  readonly stderr: HostOutput;
  /** The host's network; absent when nothing of it is granted. */
  readonly network?: HostNetwork;
  /** Resolves at `now() >= deadline` (Infinity = never) or as soon as any host event (input, signal) has been signalled. */
  idle(deadline: number): Promise<void>;
}

export interface HostInput {
  /**
   * Takes up to `into.length` bytes that have arrived. Returns their number, 0 at end of file, or undefined when nothing
   * has arrived yet (reading ahead starts with the first call; `onReady` runs when there is something to take).
   */
  take(into: Uint8Array): number | undefined;
  /** Called when `take` would no longer return undefined. Set by the driver of the console. */
  onReady: (() => void) | undefined;
  /** Terminals: true = every key at once, no echo, no line editing by the host. Absent when there is no terminal to switch. */
  setRaw?(raw: boolean): void;
  readonly isTerminal: boolean;
  /** It was closed when this process started; absent where that cannot be told. */
  readonly isClosed?: boolean;
}

export interface HostOutput {
  /** Writes all of `bytes`; returns their number or a negative errno (-32 EPIPE when the reader has gone). */
  write(bytes: Uint8Array): number;
  readonly isTerminal: boolean;
  /** As for HostInput. */
  readonly isClosed?: boolean;
  /** Terminal size in character cells; undefined when it is not a terminal. */
  size(): { columns: number; rows: number } | undefined;
}

export interface HostStat {
  kind: "file" | "directory" | "symlink" | "other";
  /** st_mode permission bits; 0o755/0o644 where the host has none. */
  mode: number;
  size: number;
  uid: number;
  gid: number;
  ino: number;
  nlink: number;
  /** 512-byte units, where the host tells. */
  blocks?: number;
  /** Nanoseconds are dropped where the host does not have them. Seconds since 1970, fractional. */
  atime: number;
  mtime: number;
  ctime: number;
}

/** One host directory that was granted to the guest. Paths are relative, with no "..", no leading slash, no symlink followed at any step. */
export interface HostDirectory {
  readonly writable: boolean;
  /** lstat(). */
  stat(path: string): HostStat | number;
  list(path: string): string[] | number;
  /** The same with lstat() of each entry, cheaper than one call for each; those that vanish meanwhile are left out. */
  listStat(path: string): { name: string; stat: HostStat }[] | number;
  readlink(path: string): string | number;
  /** Opens a regular file; a descriptor >= 0 or -errno. */
  open(path: string, how: { write: boolean; create: boolean; exclusive: boolean; truncate: boolean; mode: number }): number;
  read(fd: number, into: Uint8Array, offset: number): number;
  write(fd: number, from: Uint8Array, offset: number): number;
  truncate(fd: number, size: number): number;
  sync(fd: number): number;
  close(fd: number): void;
  mkdir(path: string, mode: number): number;
  remove(path: string, directory: boolean): number;
  rename(from: string, to: string): number;
  symlink(target: string, path: string): number;
  link(from: string, to: string): number;
  chmod(path: string, mode: number): number;
  utime(path: string, atime: number, mtime: number): number;
}

export interface HostEndpoint {
  /** An IP address: "192.0.2.1" or "2001:db8::1". */
  host: string;
  port: number;
}

/**
 * TCP, UDP and names of the host's network. Nothing waits: what is not ready gives -EAGAIN, and the object's number is told by `changed`
 * when it is worth another try. Numbers are > 0; what takes one gives -EBADF for another.
 */
export interface HostNetwork {
  /** Called when `changed` has something to tell. Set by the driver. */
  onReady: (() => void) | undefined;
  /** The next object with news, each at most once; 0 when there is none. */
  changed(): number;
  /** Begins to connect; `status` tells how far it is. */
  connect(to: HostEndpoint): number;
  listen(at: HostEndpoint): number;
  /** A new connection of a listener. */
  accept(id: number): number;
  /** Opens a UDP socket; port 0 takes a free one. */
  open(at: HostEndpoint): number;
  /** Begins to look a name up: all its addresses of both families. */
  resolve(name: string): number;
  /** Addresses that were found. -ENOENT: there is no such name; -EIO: nobody could tell. */
  resolved(id: number): string[] | number;
  /** 0 = ready, -EAGAIN = not yet, or why it failed. */
  status(id: number): number;
  /** Bytes of a connection, 0 at its end. */
  receive(id: number, into: Uint8Array): number;
  /** Takes as much as there is room for (of what is the last, all) and sends it in the background. */
  send(id: number, from: Uint8Array, last: boolean): number;
  receiveFrom(id: number, into: Uint8Array): { bytes: number; from: HostEndpoint } | number;
  sendTo(id: number, from: Uint8Array, to: HostEndpoint): number;
  /** No more data will be sent. */
  shutdown(id: number): number;
  /** What has been sent still goes out. */
  close(id: number): void;
  /** The local or the remote end. */
  endpoint(id: number, remote: boolean): HostEndpoint | number;
  /** Addresses from which the host would send to others, one of each family that it has. */
  addresses(): string[];
  /** Closes everything once what was sent is out, or nobody has taken any of it for a while. */
  end(): Promise<void>;
}
