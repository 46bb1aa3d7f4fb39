import { putU64 } from "../memory/user.ts";
import { textToBytes } from "../trace/text.ts";

/** Auxiliary vector keys: include/uapi/linux/auxvec.h. */
// deno-fmt-ignore
export const AT = {
  NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, UID: 11, EUID: 12, GID: 13, EGID: 14, PLATFORM: 15,
  HWCAP: 16, CLKTCK: 17, SECURE: 23, RANDOM: 25, HWCAP2: 26, EXECFN: 31, SYSINFO_EHDR: 33, MINSIGSTKSZ: 51,
} as const;

export interface StackInput {
  /** First address above the stack. */
  top: number;
  argv: readonly string[];
  env: readonly string[];
  execfn: string;
  platform: string;
  random: Uint8Array;
  /** Pairs that do not point into the stack; the others are added in the order of the kernel's create_elf_tables(). */
  auxv: readonly (readonly [number, number])[];
}

export interface StackImage {
  /** Bytes from `sp` to the top. */
  bytes: Uint8Array<ArrayBuffer>;
  sp: number;
  argStart: number;
  argEnd: number;
  envStart: number;
  envEnd: number;
  auxv: readonly (readonly [number, number])[];
}

/** Bytes that strings and pointers take: what E2BIG is decided on. */
export function stackBytes(argv: readonly string[], env: readonly string[]): number {
  let bytes = 0;
  for (const s of argv) bytes += textToBytes(s).length + 9;
  for (const s of env) bytes += textToBytes(s).length + 9;
  return bytes;
}

/**
 * The initial stack of fs/exec.c and fs/binfmt_elf.c, from the top: 8 zero bytes, execfn, environment strings, argument strings,
 * padding, platform, 16 random bytes, then 16-aligned: auxv, envp, argv, argc.
 */
export function buildStack(input: StackInput): StackImage {
  const execfn = textToBytes(input.execfn);
  const args = input.argv.map(textToBytes);
  const envs = input.env.map(textToBytes);
  const platform = textToBytes(input.platform);
  const total = (list: readonly Uint8Array[]) => list.reduce((sum, s) => sum + s.length + 1, 0);

  let at = input.top - 8;
  const execfnAt = at -= execfn.length + 1;
  const envEnd = at;
  const envStart = at -= total(envs);
  const argEnd = at;
  const argStart = at -= total(args);
  at -= at % 16;
  const platformAt = at -= platform.length + 1;
  const randomAt = at -= input.random.length;
  at -= at % 16;

  const auxv: [number, number][] = [
    ...input.auxv.map(([k, v]): [number, number] => [k, v]),
    [AT.RANDOM, randomAt],
    [AT.HWCAP2, 2],
    [AT.EXECFN, execfnAt],
    [AT.PLATFORM, platformAt],
    [AT.NULL, 0],
  ];
  const words = 1 + args.length + 1 + envs.length + 1 + auxv.length * 2;
  const unaligned = at - words * 8;
  const sp = unaligned - unaligned % 16;

  const bytes = new Uint8Array(input.top - sp);
  const data = new DataView(bytes.buffer);
  const putStrings = (list: readonly Uint8Array[], start: number): number[] => {
    let to = start;
    return list.map((s) => {
      bytes.set(s, to - sp);
      const address = to;
      to += s.length + 1;
      return address;
    });
  };
  bytes.set(execfn, execfnAt - sp);
  bytes.set(platform, platformAt - sp);
  bytes.set(input.random, randomAt - sp);
  const table = [args.length, ...putStrings(args, argStart), 0, ...putStrings(envs, envStart), 0, ...auxv.flat()];
  table.forEach((word, i) => putU64(data, i * 8, word));
  return { bytes, sp, argStart, argEnd, envStart, envEnd, auxv };
}
