/** Signals of FreeBSD (sys/sys/signal.h). */
// deno-fmt-ignore
export const SIG = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, EMT: 7, FPE: 8, KILL: 9, BUS: 10, SEGV: 11, SYS: 12, PIPE: 13, ALRM: 14, TERM: 15,
  URG: 16, STOP: 17, TSTP: 18, CONT: 19, CHLD: 20, TTIN: 21, TTOU: 22, IO: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28,
  INFO: 29, USR1: 30, USR2: 31, THR: 32, LIBRT: 33,
} as const;

/** Signals 65 and up exist in FreeBSD, but not here. */
export const SIG_LAST = 64;

const IGNORED: ReadonlySet<number> = new Set([SIG.URG, SIG.CONT, SIG.CHLD, SIG.IO, SIG.WINCH, SIG.INFO, SIG.THR, SIG.LIBRT]);
/** Default action "ignore" of sigprop[] in sys/kern/kern_sig.c; all others end the process here (nothing can stop). */
export const ignoredByDefault = (signal: number): boolean => IGNORED.has(signal);

export const signalName = (signal: number): string =>
  `SIG${Object.entries(SIG).find(([, number]) => number === signal)?.[0] ?? signal}`;

/** sa_flags. */
export const SA_ONSTACK = 1, SA_RESTART = 2, SA_RESETHAND = 4, SA_NODEFER = 0x10, SA_NOCLDWAIT = 0x20, SA_SIGINFO = 0x40;
export const SIG_BLOCK = 1, SIG_UNBLOCK = 2, SIG_SETMASK = 3;
export const SIG_DFL = 0, SIG_IGN = 1;
/** ss_flags of stack_t. */
export const SS_ONSTACK = 1, SS_DISABLE = 4;
export const MINSIGSTKSZ = 2048;
/** si_code. */
export const SI_USER = 0x1_0001, SI_TIMER = 0x1_0003, SI_LWP = 0x1_0007, SI_KERNEL = 0x1_0006;
export const SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_OBJERR = 3, ILL_PRVOPC = 5, ILL_ILLOPC = 1;
export const FPE_INTOVF = 1, FPE_INTDIV = 2, FPE_FLTINV = 7, FPE_FLTSUB = 8, TRAP_BRKPT = 1, TRAP_TRACE = 2;
