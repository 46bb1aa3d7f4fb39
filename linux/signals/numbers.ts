/** Signals of Linux x86-64 (arch/x86/include/uapi/asm/signal.h), with the default action of signal(7). */
export const enum DefaultAction {
  Terminate,
  /** Terminate, and the status says that a core was dumped. */
  Core,
  Ignore,
  Stop,
  Continue,
}

// deno-fmt-ignore
export const SIG = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14,
  TERM: 15, STKFLT: 16, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27,
  WINCH: 28, IO: 29, PWR: 30, SYS: 31, RTMIN: 32, RTMAX: 64,
} as const;

const NAMES: readonly string[] = (() => {
  const names: string[] = [];
  for (const [name, value] of Object.entries(SIG)) names[value] ??= `SIG${name}`;
  return names;
})();

/** "SIGSEGV"; real-time signals as strace writes them: "SIGRT_1". */
export function signalName(signal: number): string {
  if (signal >= SIG.RTMIN && signal <= SIG.RTMAX) return signal === SIG.RTMIN ? "SIGRTMIN" : `SIGRT_${signal - SIG.RTMIN}`;
  return NAMES[signal] ?? String(signal);
}

/** Text of strsignal(3) for the line about a killed program. */
const CORE = new Set<number>([
  SIG.QUIT,
  SIG.ILL,
  SIG.TRAP,
  SIG.ABRT,
  SIG.BUS,
  SIG.FPE,
  SIG.SEGV,
  SIG.XCPU,
  SIG.XFSZ,
  SIG.SYS,
]);
const IGNORE = new Set<number>([SIG.CHLD, SIG.URG, SIG.WINCH]);
const STOP = new Set<number>([SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU]);

export function defaultAction(signal: number): DefaultAction {
  if (CORE.has(signal)) return DefaultAction.Core;
  if (IGNORE.has(signal)) return DefaultAction.Ignore;
  if (STOP.has(signal)) return DefaultAction.Stop;
  return signal === SIG.CONT ? DefaultAction.Continue : DefaultAction.Terminate;
}

/** si_code values (asm-generic/siginfo.h). */
export const SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6;
export const ILL_ILLOPN = 2, FPE_INTDIV = 1, FPE_FLTDIV = 3, FPE_FLTOVF = 4, FPE_FLTUND = 5, FPE_FLTRES = 6, FPE_FLTINV = 7;
export const SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_ADRERR = 2;
export const TRAP_BRKPT = 1, TRAP_TRACE = 2;
export const CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_TRAPPED = 4, CLD_STOPPED = 5, CLD_CONTINUED = 6;

/** sa_flags. */
export const SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_RESTORER = 0x0400_0000, SA_ONSTACK = 0x0800_0000;
export const SA_RESTART = 0x1000_0000, SA_NODEFER = 0x4000_0000, SA_RESETHAND = 0x8000_0000;
export const SIG_DFL = 0, SIG_IGN = 1;
export const SS_ONSTACK = 1, SS_DISABLE = 2, SS_AUTODISARM = 0x8000_0000;
export const MINSIGSTKSZ = 2048;
