import { E as LINUX } from "../linux/abi/errno.ts";
import { PAGE, pageDown, pageUp, PROT_EXEC, PROT_READ, PROT_WRITE } from "../linux/abi/mman.ts";
import { dropPlan, type ExecPlan, mapElf, planExec } from "../linux/loader/exec.ts";
import type { Mm } from "../linux/memory/mm.ts";
import { putU64 } from "../linux/memory/user.ts";
import { newVma } from "../linux/memory/vma.ts";
import { textToBytes } from "../linux/trace/text.ts";
import { PROCESS } from "../roottask/protocol.ts";
import type { FreeBsd } from "./personality.ts";

/** Page of the signal trampoline: FreeBSD's shared page lies at the very top of user memory; here the UTCB does. */
export const SIGCODE = PROCESS.STACK_TOP - PAGE;
/** sigcode of sys/amd64/amd64/sigtramp.S: calls the handler that the frame names, then sigreturn(&frame.sf_uc). */
// deno-fmt-ignore
const SIGCODE_BYTES = Uint8Array.of(
  0xff, 0x14, 0x24,                          // call *(%rsp)
  0x48, 0x8d, 0x7c, 0x24, 0x10,              // lea 16(%rsp), %rdi
  0x6a, 0x00,                                // pushq $0
  0x48, 0xc7, 0xc0, 0xa1, 0x01, 0x00, 0x00,  // mov $417, %rax
  0x0f, 0x05,                                // syscall
  0xf4, 0xeb, 0xfd,                          // hlt; jmp -3
);
const FIRST_STACK = 128 << 10, STACK_LIMIT = 64 << 20;
/** Distance of the mmap area from the stack. */
const MMAP_GAP = 512 << 20;
const PIE_BASE = 0x100_0000;

/** Auxiliary vector: sys/sys/elf_common.h. */
// deno-fmt-ignore
const AT = {
  NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, EXECPATH: 15, CANARY: 16, CANARYLEN: 17, OSRELDATE: 18,
  NCPUS: 19, PAGESIZES: 20, PAGESIZESLEN: 21, STACKPROT: 23, ARGC: 28, ARGV: 29, ENVC: 30, ENVV: 31, PS_STRINGS: 32,
} as const;
/** FreeBSD 14.0. */
export const OSRELDATE = 1_400_097;

export interface Started {
  entry: number;
  /** Address of argc: RDI at the start. */
  stack: number;
}

/** Finds and checks a program; an error in the services' numbers. Only static ones: there is no ld-elf.so.1. */
export function planProgram(
  os: FreeBsd,
  cwd: number,
  path: string,
  argv: readonly string[],
  env: readonly string[],
): ExecPlan | number {
  const plan = planExec(os, cwd, path, argv, env);
  if (typeof plan === "number" || plan.interpreter === undefined) return plan;
  dropPlan(plan);
  return -LINUX.ENOEXEC;
}

/** Maps program, trampoline and stack into the empty `mm`. Undefined when memory is short. */
export function startImage(os: FreeBsd, mm: Mm, plan: ExecPlan): Started | undefined {
  const { elf } = plan.program, bias = elf.relocatable ? PIE_BASE : 0;
  mm.stackLimit = STACK_LIMIT;
  mm.mmapBase = pageDown(SIGCODE - MMAP_GAP);
  const mapped = mapElf(os, mm, plan.program, bias);
  mm.brkStart = mm.brk = pageUp(elf.high + bias);
  dropPlan(plan);
  if (!mapped || !mm.add(newVma(SIGCODE, SIGCODE + PAGE, PROT_READ | PROT_WRITE), true)) return undefined;
  const user = os.userMemory(mm);
  if (!user.putBytes(SIGCODE, SIGCODE_BYTES)) return undefined;
  mm.protect(SIGCODE, SIGCODE + PAGE, PROT_READ | PROT_EXEC);

  os.random(os.scratch, 64);
  const image = buildStack(plan, bias, os.u8.slice(os.scratch, os.scratch + 64));
  const area = newVma(pageDown(image.at) - FIRST_STACK, SIGCODE, PROT_READ | PROT_WRITE);
  area.growsDown = true;
  area.name = "[stack]";
  if (!mm.add(area, true) || !user.putBytes(image.at, image.bytes)) return undefined;
  return { entry: elf.entry + bias, stack: image.at };
}

/** exec_copyout_strings() and __elfN(freebsd_copyout_auxargs): from the top ps_strings, path, canary, page sizes, strings, vectors. */
function buildStack(plan: ExecPlan, bias: number, canary: Uint8Array): { at: number; bytes: Uint8Array<ArrayBuffer> } {
  const { elf } = plan.program, top = SIGCODE;
  const blobs: [number, Uint8Array][] = [];
  let at = top - 32;
  const psStrings = at;
  const put = (bytes: Uint8Array, align = 1): number => {
    at -= bytes.length;
    at -= at % align;
    blobs.push([at, bytes]);
    return at;
  };
  const text = (s: string): number => put(Uint8Array.of(...textToBytes(s), 0));
  const execPath = text(plan.execfn), canaryAt = put(canary, 8), sizes = put(new Uint8Array(8), 8);
  new DataView(blobs[blobs.length - 1][1].buffer).setUint32(0, PAGE, true);
  const env = plan.env.map(text), argv = plan.argv.map(text);
  at -= at % 8;
  const words = 1 + argv.length + 1 + env.length + 1;
  const aux = (start: number): number[][] => [
    [AT.PHDR, elf.phdr + bias],
    [AT.PHENT, elf.phentsize],
    [AT.PHNUM, elf.phnum],
    [AT.PAGESZ, PAGE],
    [AT.FLAGS, 0],
    [AT.ENTRY, elf.entry + bias],
    [AT.BASE, 0],
    [AT.EXECPATH, execPath],
    [AT.CANARY, canaryAt],
    [AT.CANARYLEN, canary.length],
    [AT.OSRELDATE, OSRELDATE],
    [AT.NCPUS, 1],
    [AT.PAGESIZES, sizes],
    [AT.PAGESIZESLEN, 8],
    [AT.STACKPROT, PROT_READ | PROT_WRITE],
    [AT.ARGC, argv.length],
    [AT.ARGV, start + 8],
    [AT.ENVC, env.length],
    [AT.ENVV, start + 8 * (argv.length + 2)],
    [AT.PS_STRINGS, psStrings],
    [AT.NULL, 0],
  ];
  const unaligned = at - 8 * (words + 2 * aux(0).length), start = unaligned - unaligned % 16;
  const bytes = new Uint8Array(top - start), data = new DataView(bytes.buffer);
  for (const [address, blob] of blobs) bytes.set(blob, address - start);
  const table = [argv.length, ...argv, 0, ...env, 0, ...aux(start).flat()];
  table.forEach((word, i) => putU64(data, 8 * i, word));
  putU64(data, psStrings - start, start + 8);
  data.setInt32(psStrings - start + 8, argv.length, true);
  putU64(data, psStrings - start + 16, start + 8 * (argv.length + 2));
  data.setInt32(psStrings - start + 24, env.length, true);
  return { at: start, bytes };
}
