import type { Ram } from "../cpu/api.ts";
import { PAGE } from "../cpu/layout.ts";
import { type AddressSpace, RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import type { BootModule } from "./hip.ts";

/** Offsets in Elf64_Ehdr and Elf64_Phdr (System V ABI, chapters 4 and 5). */
const E_TYPE = 0x10, E_MACHINE = 0x12, E_ENTRY = 0x18, E_PHOFF = 0x20, E_PHENTSIZE = 0x36, E_PHNUM = 0x38;
const P_TYPE = 0x00, P_FLAGS = 0x04, P_OFFSET = 0x08, P_VADDR = 0x10, P_FILESZ = 0x20, P_MEMSZ = 0x28;
const MAGIC = 0x464c457f, CLASS_64_LSB = 0x0102, ET_EXEC = 2, EM_X86_64 = 62, PT_LOAD = 1;
const PF_X = 1, PF_W = 2;
const EHDR_BYTES = 64;

/**
 * Maps the PT_LOAD segments of a boot module where they lie, without a copy, by the kernel's rules for the roottask (ABI 2.3).
 * Returns the entry address or the reason for which the root EC is killed.
 */
export function loadElf(ram: Ram, module: BootModule, space: AddressSpace): number | "No ELF" | "Bad ELF" {
  const { view } = ram, base = module.address;
  const u16 = (at: number) => view.getUint16(base + at, true);
  const u32 = (at: number) => view.getUint32(base + at, true);
  const u64 = (at: number) => u32(at + 4) * 0x1_0000_0000 + u32(at);
  if (module.size < EHDR_BYTES || u32(0) !== MAGIC || u16(4) !== CLASS_64_LSB) return "No ELF";
  if (u16(E_TYPE) !== ET_EXEC || u16(E_MACHINE) !== EM_X86_64) return "No ELF";
  const first = u64(E_PHOFF), size = u16(E_PHENTSIZE), count = u16(E_PHNUM);
  if (first + size * count > module.size) return "Bad ELF";
  for (let i = 0; i < count; i++) {
    const at = first + i * size;
    if (u32(at + P_TYPE) !== PT_LOAD) continue;
    const offset = u64(at + P_OFFSET), va = u64(at + P_VADDR), bytes = u64(at + P_FILESZ), flags = u32(at + P_FLAGS);
    if (bytes !== u64(at + P_MEMSZ) || offset % PAGE !== va % PAGE || offset + bytes > module.size) return "Bad ELF";
    const rights = RIGHT_R | (flags & PF_W ? RIGHT_W : 0) | (flags & PF_X ? RIGHT_X : 0);
    // The in-page offset is not added to the length, as in the kernel that this one stands for.
    const length = Math.ceil(bytes / PAGE) * PAGE, physical = base + offset;
    if (length > 0) space.map(va - va % PAGE, physical - physical % PAGE, length, rights);
  }
  return u64(E_ENTRY);
}
