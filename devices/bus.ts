/** A device that answers byte accesses at consecutive I/O ports. */
export interface PortDevice {
  /** First port and number of ports. */
  readonly base: number;
  readonly count: number;
  /** `offset` is relative to `base`; values are one byte. */
  readByte(offset: number): number;
  writeByte(offset: number, value: number): void;
  /** Hands on what has been kept back for efficiency. */
  flush?(): void;
}

const PORTS = 0x1_0000;

/**
 * The I/O ports of a machine: wider accesses become one access per byte, and ports without a device read as all ones and
 * swallow writes, as on a PC. Whether code may use a port at all is the kernel's business, decided by capabilities.
 */
export class PortBus {
  readonly #at = new Map<number, PortDevice>();
  constructor(private readonly devices: readonly PortDevice[]) {
    for (const device of devices) {
      for (let port = device.base; port < device.base + device.count; port++) this.#at.set(port, device);
    }
  }

  read(port: number, bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) {
      const p = (port + i) % PORTS, device = this.#at.get(p);
      value += (device ? device.readByte(p - device.base) & 0xff : 0xff) * 2 ** (8 * i);
    }
    return value;
  }

  write(port: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) {
      const p = (port + i) % PORTS, device = this.#at.get(p);
      device?.writeByte(p - device.base, (value >>> (8 * i)) & 0xff);
    }
  }

  flush(): void {
    for (const device of this.devices) device.flush?.();
  }
}
