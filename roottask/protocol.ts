/**
 * Selectors and message numbers that roottask, personalities and processes agree on. Process-side numbers are the thesis runtime's
 * (ABI reference 10.3); the rest is ours. Messages are UTCB words: word 0 = operation, then the arguments.
 */

/** Capability space of every process (ABI 10.3). */
export const PROCESS = {
  EXCEPTION_BASE: 0,
  STARTUP: 30,
  RECALL: 31,
  SELF_PD: 32,
  ALLOCATE: 35,
  STDOUT: 36,
  STDERR: 37,
  FS: 38,
  ECHO: 39,
  RAW_ECHO: 40,
  /** Hedra's own: a hyperapp ends by calling it (docs/guest-runtime.md). */
  EXIT: 41,
  /** Hedra's own: services by name, see BROKER. */
  BROKER: 42,
  FOREIGN_BASE: 50,
  /** Virtual addresses (ABI 10.4). */
  UTCB: 0x7fff_ffff_e000,
  STACK_TOP: 0x7fff_ffff_e000,
  STACK_PAGES: 512,
} as const;

/**
 * Capability space of a host PD that roottask starts (linux, fs, ...). Roottask delegates these before `main` runs.
 * Selectors from FREE on are the PD's own.
 */
export const HOST_PD = {
  /** Its own PD capability, right to create objects. */
  SELF_PD: 32,
  /** Roottask's process service (see PROCESS_SERVICE). */
  PROCESS: 40,
  /** The file service's portals: 64 from here, one operation family each (see fs/). */
  FS: 64,
  /** The personality's spawn portal is created *by the personality* here; roottask gets it by delegation. */
  SPAWN: 128,
  /** Console: see CONSOLE. */
  CONSOLE: 41,
  /** Semaphore that roottask ups when console input has arrived. */
  CONSOLE_SM: 42,
  /** What the user has granted: portals that tell it (MAX_PERMISSIONS below). */
  PERMISSIONS: 0x400,
  FREE: 0x1000,
} as const;

/** Operations of roottask's process service (portal HOST_PD.PROCESS). */
export const PROCESS_SERVICE = {
  /** (pid of the parent, may be left out) -> word 0 = pid, and six typed items delegating the new process's service portals (stdout, stderr, allocate, fs, echo, raw
   * echo) into the caller's `del` window; item i has hotspot i, so with a window of order 3 it arrives at window base + i. The caller
   * passes them on to the process's selectors (PROCESS). */
  REGISTER: 1,
  /** (pid, exit status as wait4 gives it): the process has ended. */
  EXITED: 2,
  /** () -> word 0 = physical = virtual address, word 1 = bytes of the pool of RAM that has been delegated to this PD at start,
   * word 2 = number of permissions from HOST_PD.PERMISSIONS on, word 3 = 1 when the RAM may hold old data, else it is zero. */
  POOL: 3,
  /** () -> word 0 = seconds, word 1 = nanoseconds of the wall clock (since 1970) and word 2 = the TSC at that instant. */
  WALL_CLOCK: 4,
  /** (address, bytes): fills that memory (in the caller's pool) with entropy. -> word 0 = bytes or -errno. */
  RANDOM: 5,
} as const;

/** Selectors for permissions. Each is a portal: () -> word 0 = bytes of the text "NAME VALUE" that follows. */
export const MAX_PERMISSIONS = 1024;

/**
 * Operations of the portal of an "allow-net" permission. The first group does what *this* permission grants, -EACCES for anything else;
 * the others take the number of an object that one of them has made. ENDPOINT stands for three fields: port, number of bytes of the IP
 * address (4 or 16), and the address in two words. Data lies in the caller's pool. Nothing waits: -EAGAIN, and the object's number comes
 * among the EVENTS when it is worth another try; the console's semaphore is upped then. Word 0 of a reply: a value >= 0 or -errno.
 */
export const NETWORK_SERVICE = {
  /** (ENDPOINT) -> number of a TCP connection that is being made. */
  CONNECT: 1,
  /** (ENDPOINT) -> number of a TCP listener. */
  LISTEN: 2,
  /** (ENDPOINT) -> number of a UDP socket that hears everybody at that place. */
  HEAR: 3,
  /** () -> number of a UDP socket that hears only those it has sent to. First argument: 4 or 6. */
  OPEN: 4,
  /** (length of a name; the name follows) -> number of a look-up of its addresses. */
  RESOLVE: 5,
  /** (0 = send, 1 = listen, ENDPOINT) -> 0. */
  CHECK: 6,
  /** (number, address, bytes, ENDPOINT) -> bytes sent by UDP. */
  SEND_TO: 7,

  /** (number of a listener) -> number of a new connection. */
  ACCEPT: 16,
  /** (number) -> 0 when it is ready, or why it will not be. */
  STATUS: 17,
  /** (number, address, bytes, 1 = all of it, whatever waits) -> bytes. */
  SEND: 18,
  /** (number, address, bytes) -> bytes, 0 at the end. */
  RECEIVE: 19,
  /** (number, address, bytes) -> bytes, then from word 1 on the sender's ENDPOINT. */
  RECEIVE_FROM: 20,
  /** (number) -> 0: nothing more will be sent. */
  SHUTDOWN: 21,
  /** (number) -> 0. */
  CLOSE: 22,
  /** (number, 0 = local, 1 = remote) -> 0, ENDPOINT from word 1 on. */
  ENDPOINT: 23,
  /** (number of a look-up) -> how many addresses; each is, from word 1 on, an ENDPOINT with port 0. */
  RESOLVED: 24,
  /** () -> how many; then numbers of objects with news, at most MAX_EVENTS. */
  EVENTS: 25,
  /** () -> how many addresses the host has for sending; each an ENDPOINT with port 0, as above. */
  ADDRESSES: 26,
} as const;
export const MAX_EVENTS = 256;
/** Words of an ENDPOINT. */
export const ENDPOINT_WORDS = 4;

/**
 * Operations of the console portal (HOST_PD.CONSOLE). Addresses lie in the caller's pool (virtual = physical). Every reply's word 0 is a
 * value >= 0 or a negative Linux errno.
 */
export const CONSOLE_SERVICE = {
  /** (fd 1|2, address, bytes, pid) -> bytes written, or -EPIPE when the reader has gone. The pid (may be left out) is for prefixed output. */
  WRITE: 1,
  /** (address, bytes) -> bytes read, 0 at end of file, -EAGAIN (-11) when nothing has arrived; CONSOLE_SM is upped when something does. */
  READ: 2,
  /** (fd 0..2) -> word 0 = 1 when that stream is a terminal, 2 when it is closed, else 0; words 1, 2 = columns, rows (0, 0 when it is not a terminal). */
  INFO: 3,
  /** (0 = line mode with echo by the host's terminal, 1 = raw) -> 0. */
  MODE: 4,
} as const;

/**
 * Operations of a personality's spawn portal (HOST_PD.SPAWN), called by roottask.
 * START: the data area holds word 0 = START, word 1 = byte length, then JSON of SpawnRequest in UTF-8 (at most 4000 bytes) or, for larger
 * ones, word 2.. = address and length of the JSON in the personality's pool (word 1 = 0). Reply: word 0 = pid or -errno.
 */
export const SPAWN_SERVICE = { START: 1 } as const;
export interface SpawnRequest {
  path: string;
  argv: string[];
  env: string[];
  cwd: string;
  strace: boolean;
  verbose: boolean;
}

/**
 * Operations of the broker (portal PROCESS.BROKER of a hyperapp). Word 0 of the reply: 0, or a negative Linux errno.
 * CONNECT: word 1 = length of a name, then the name. The service's portal arrives in the caller's `del` window; -EAGAIN while the
 * service is being started, -ENOENT when there is none of that name.
 * OFFER: word 1 = selector of a portal in the caller's space. Only services that the manifest names may: -EPERM.
 * KILL: word 1 = length of a service's name, then the name. Only services to which the manifest grants "kill" may: -EPERM. -EAGAIN
 * when it does not run now.
 */
export const BROKER = { CONNECT: 1, OFFER: 2, KILL: 3 } as const;
