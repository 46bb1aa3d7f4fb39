import { PAGE } from "../cpu/layout.ts";

/** CPUs and GSIs that selectors and HIP are laid out for (ABI 1, 2.1). */
export const NUM_CPU = 64, NUM_GSI = 192;

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
  /** RAM that can be given away. */
  memory: readonly { address: number; size: number }[];
  kernel: { address: number; size: number };
}

const SIGNATURE = 0x41564f4e, API_VERSION = 5004;
const CPU_OFFSET = 0x90, CPU_BYTES = 48, IOAPIC_OFFSET = 0xc90, IOAPIC_BYTES = 16, MEM_OFFSET = 0xd20, MEM_BYTES = 24;
const CHECKSUM = 0x04, LENGTH = 0x06, SERIAL_PORT = 0x88;
const CPU_ONLINE = 1;
/** Types of memory descriptors. */
const MEM_RAM = 1, MEM_KERNEL = 0xffff_ffff, MEM_MODULE = 0xffff_fffe;

/** Fields of fixed value (ABI 3): offset, bytes, value. What is not named is zero: no IOMMU, VMX, HPET, PCI, ACPI. */
const FIELDS: readonly (readonly [offset: number, bytes: 2 | 4, value: number])[] = [
  [0x00, 4, SIGNATURE],
  [0x08, 2, CPU_OFFSET],
  [0x0a, 2, CPU_BYTES],
  [0x0c, 2, IOAPIC_OFFSET],
  [0x0e, 2, IOAPIC_BYTES],
  [0x10, 2, MEM_OFFSET],
  [0x12, 2, MEM_BYTES],
  [0x18, 4, API_VERSION],
  // Selectors, exceptions, VM intercepts, GSIs.
  [0x1c, 4, 0x0400_0000],
  [0x20, 4, 32],
  [0x24, 4, 256],
  [0x28, 4, NUM_GSI],
  [0x2c, 4, PAGE],
  [0x30, 4, PAGE],
];
const FREQ_TSC = 0x34, FREQ_BUS = 0x38;

/** Writes the hypervisor information page at physical address `at` (a zeroed page); checksum last. */
export function writeHip(view: DataView, at: number, content: HipContent): void {
  const u16 = (offset: number, value: number) => view.setUint16(at + offset, value, true);
  const u32 = (offset: number, value: number) => view.setUint32(at + offset, value, true);
  for (const [offset, bytes, value] of FIELDS) bytes === 2 ? u16(offset, value) : u32(offset, value);
  u32(FREQ_TSC, content.tscKhz);
  u32(FREQ_BUS, content.tscKhz);
  u32(SERIAL_PORT, content.serialPort);
  view.setUint8(at + CPU_OFFSET, CPU_ONLINE);

  let next = MEM_OFFSET;
  const descriptor = (address: number, size: number, type: number, aux: number) => {
    for (const [offset, value] of [[0, address], [8, size]]) {
      u32(next + offset, value % 0x1_0000_0000);
      u32(next + offset + 4, Math.floor(value / 0x1_0000_0000));
    }
    u32(next + 16, type);
    u32(next + 20, aux);
    next += MEM_BYTES;
  };
  for (const { address, size } of content.memory) descriptor(address, size, MEM_RAM, 0);
  for (const { address, size, commandLine } of content.modules) descriptor(address, size, MEM_MODULE, commandLine);
  descriptor(content.kernel.address, content.kernel.size, MEM_KERNEL, 0);
  u16(LENGTH, next);

  let sum = 0;
  for (let offset = 0; offset < next; offset += 2) sum += view.getUint16(at + offset, true);
  u16(CHECKSUM, -sum & 0xffff);
}
