import { PAGE } from "../cpu/layout.ts";
import type { Version } from "./version.ts";

/** A file that the boot loader has put into guest RAM. */
export interface BootModule {
  /** Physical address of its first byte, page-aligned. */
  address: number;
  /** Bytes. */
  size: number;
  /** Physical address of the NUL-terminated command line below 4 GiB, 0 = none. */
  commandLine: number;
}

export interface HipContent {
  tscKhz: number;
  serialPort: number;
  modules: readonly BootModule[];
  /** There, but not for taking: the first MiB. */
  reserved: readonly { address: number; size: number }[];
  /** RAM that can be given away. */
  memory: readonly { address: number; size: number }[];
  kernel: { address: number; size: number };
}

const SIGNATURE = 0x41564f4e;
const CPU_ONLINE = 1;
/** Types of memory descriptors. */
const MEM_RAM = 1, MEM_RESERVED = 2, MEM_KERNEL = 0xffff_ffff, MEM_MODULE = 0xffff_fffe;

/** Where a version has what: offsets of tables and of the fields that depend on the machine. */
interface Layout {
  cpu: number;
  memory: number;
  freqTsc: number;
  /** Absent in API 13.2. */
  freqBus?: number;
  serialPort?: number;
  /** Fields of fixed value: offset, bytes, value. What is not named is zero: no IOMMU, VMX, HPET, PCI, ACPI. */
  fields: readonly (readonly [offset: number, bytes: 2 | 4, value: number])[];
}
const MEM_BYTES = 24, CHECKSUM = 0x04, LENGTH = 0x06;
/** Selectors of a PD, exceptions, VM intercepts (ABI 3). */
const SEL_NUM = 0x0400_0000, SEL_EXC = 32, SEL_VMI = 256;

const LAYOUTS: Record<Version["name"], Layout> = {
  "5004": {
    cpu: 0x90,
    memory: 0xd20,
    freqTsc: 0x34,
    freqBus: 0x38,
    serialPort: 0x88,
    fields: [
      ...[[0x08, 2, 0x90], [0x0a, 2, 48], [0x0c, 2, 0xc90], [0x0e, 2, 16], [0x10, 2, 0xd20], [0x12, 2, MEM_BYTES]] as const,
      ...[[0x18, 4, 5004], [0x1c, 4, SEL_NUM], [0x20, 4, SEL_EXC], [0x24, 4, SEL_VMI], [0x28, 4, 192]] as const,
      ...[[0x2c, 4, PAGE], [0x30, 4, PAGE]] as const,
    ],
  },
  "13.2": {
    cpu: 0x70,
    memory: 0x470,
    freqTsc: 0x2c,
    fields: [
      ...[[0x08, 2, 0x70], [0x0a, 2, 8], [0x0c, 2, 0x470], [0x0e, 2, MEM_BYTES], [0x14, 4, 13002]] as const,
      ...[[0x18, 4, SEL_NUM], [0x1c, 4, SEL_EXC], [0x20, 4, SEL_VMI], [0x24, 4, PAGE], [0x28, 4, PAGE]] as const,
    ],
  },
};

/** Writes the hypervisor information page at physical address `at` (a zeroed page); checksum last. */
export function writeHip(view: DataView, at: number, version: Version, content: HipContent): void {
  const u16 = (offset: number, value: number) => view.setUint16(at + offset, value, true);
  const u32 = (offset: number, value: number) => view.setUint32(at + offset, value, true);
  const layout = LAYOUTS[version.name];
  u32(0, SIGNATURE);
  for (const [offset, bytes, value] of layout.fields) bytes === 2 ? u16(offset, value) : u32(offset, value);
  u32(layout.freqTsc, content.tscKhz);
  if (layout.freqBus !== undefined) u32(layout.freqBus, content.tscKhz);
  if (layout.serialPort !== undefined) u32(layout.serialPort, content.serialPort);
  view.setUint8(at + layout.cpu, CPU_ONLINE);

  let next = layout.memory;
  const descriptor = (address: number, size: number, type: number, aux: number) => {
    for (const [offset, value] of [[0, address], [8, size]]) {
      u32(next + offset, value % 0x1_0000_0000);
      u32(next + offset + 4, Math.floor(value / 0x1_0000_0000));
    }
    u32(next + 16, type);
    u32(next + 20, aux);
    next += MEM_BYTES;
  };
  for (const { address, size } of content.reserved) descriptor(address, size, MEM_RESERVED, 0);
  for (const { address, size } of content.memory) descriptor(address, size, MEM_RAM, 0);
  for (const { address, size, commandLine } of content.modules) descriptor(address, size, MEM_MODULE, commandLine);
  descriptor(content.kernel.address, content.kernel.size, MEM_KERNEL, 0);
  u16(LENGTH, next);

  let sum = 0;
  for (let offset = 0; offset < next; offset += 2) sum += view.getUint16(at + offset, true);
  u16(CHECKSUM, -sum & 0xffff);
}
