/** Boots the real roottask, file service and kernel on a processor whose programs are scripts in TypeScript. */
import { USER_RAM } from "../../cpu/layout.ts";
import type { TarMember } from "../../fs/tar_writer.ts";
import { writeTar } from "../../fs/tar_writer.ts";
import { FakeCpu, type Machine, type Script, type Step } from "../../hedron/testing/mod.ts";
import { MemoryHost } from "../../host/memory_host.ts";
import type { BootConfig, BootResult } from "../../roottask/boot_config.ts";
import { boot } from "../../roottask/boot.ts";
import { PROCESS } from "../../roottask/protocol.ts";

const RDI = 7;
const ENTRY = 0x40_0000, ENTRY_STEP = 0x1_0000;

/** A minimal hyperapp: one page of code, one of data with two zero-filled ones behind it, and the note. */
export function hyperappElf(entry: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(3 * 4096), data = new DataView(file.buffer);
  const u64 = (at: number, value: number) => data.setBigUint64(at, BigInt(value), true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  data.setUint16(16, 2, true);
  data.setUint16(18, 62, true);
  u64(24, entry);
  u64(32, 64);
  data.setUint16(54, 56, true);
  data.setUint16(56, 3, true);
  const header = (i: number, type: number, flags: number, offset: number, address: number, bytes: number, memory: number) => {
    const at = 64 + 56 * i;
    data.setUint32(at, type, true);
    data.setUint32(at + 4, flags, true);
    u64(at + 8, offset);
    u64(at + 16, address);
    u64(at + 32, bytes);
    u64(at + 40, memory);
  };
  header(0, 1, 5, 4096, entry, 4096, 4096);
  header(1, 1, 6, 8192, entry + 4096, 4096, 3 * 4096);
  header(2, 4, 4, 0x200, 0, 24, 24);
  [7, 4, 1].forEach((word, i) => data.setUint32(0x200 + 4 * i, word, true));
  file.set(new TextEncoder().encode("Hedron"), 0x20c);
  file[4096] = 0xaa;
  file[8192] = 0xbb;
  return file;
}

/** Bytes of a request in the UTCB, then the call. */
export function* request(m: Machine, selector: number, bytes: readonly number[]): Generator<Step, void, void> {
  const padded = [...bytes, 0, 0, 0, 0, 0, 0, 0];
  m.write32(PROCESS.UTCB + 4, Math.ceil(bytes.length / 8));
  for (let at = 0; at + 4 <= padded.length; at += 4) {
    m.write32(PROCESS.UTCB + 0x20 + at, padded[at] | padded[at + 1] << 8 | padded[at + 2] << 16 | padded[at + 3] << 24);
  }
  yield { trap: "syscall", regs: { [RDI]: selector * 4096 } };
}

export const reply = (m: Machine, word = 0): number => m.read64(PROCESS.UTCB + 0x20 + 8 * word);
export const u64 = (value: number): number[] => Array.from({ length: 8 }, (_, i) => Math.floor(value / 256 ** i) % 256);
export const u32 = (value: number): number[] => u64(value >>> 0).slice(0, 4);
/** Precondition: at most 127 bytes. */
export const text = (content: string): number[] => {
  const bytes = new TextEncoder().encode(content);
  return [bytes.length, ...bytes];
};

export interface Outcome {
  result: BootResult;
  stdout: string;
  stderr: string;
}

/** Runs one hyperapp per script. */
export async function runScripts(
  scripts: Script[],
  change: Partial<BootConfig> = {},
  members: TarMember[] = [],
): Promise<Outcome> {
  const memoryMiB = change.memoryMiB ?? 64, cpu = new FakeCpu(USER_RAM + memoryMiB * 0x10_0000), host = new MemoryHost();
  const files = scripts.map((script, i) => {
    const entry = ENTRY + i * ENTRY_STEP;
    cpu.code.set(entry, script);
    return { path: `app${i}`, bytes: hyperappElf(entry), mode: 0o755 };
  });
  const result = await boot({
    memoryMiB,
    host,
    mounts: [{ guest: "/", source: { kind: "tar", bytes: writeTar([...files, ...members]) }, overlay: true }],
    programs: files.map(({ path }) => ({ kind: "auto", path: `/${path}`, argv: [], env: [], cwd: "/" })),
    output: { style: "raw" },
    strace: false,
    verbose: false,
    ...change,
  }, cpu);
  return { result, stdout: host.stdout.text, stderr: host.stderr.text };
}
