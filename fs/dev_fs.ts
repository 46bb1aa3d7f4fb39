/**
 * /dev: devices that need nothing but the service itself. Terminals are only named here; the personality knows them by their device
 * number and talks to the console service.
 */
import { PAGE } from "../cpu/layout.ts";
import { ENOENT, ENOSPC, ENXIO } from "../host/errno.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { directoryType, NAME_MAX, S_IFCHR, S_IFDIR, S_IFLNK, TMPFS_MAGIC } from "./flags.ts";
import { type Clock, type DirectoryEntry, type FileSystem, Node, type Ram } from "./node.ts";

export interface DeviceHost {
  random(out: Uint8Array): void;
}

interface Device {
  readonly name: string;
  /** Documentation/admin-guide/devices.txt of Linux. */
  readonly major: number;
  readonly minor: number;
  read(fs: DevFs, to: number, length: number): number;
  write(fs: DevFs, from: number, length: number): number;
}

const readZero = (fs: DevFs, to: number, length: number): number => {
  fs.ram.fill(to, 0, length);
  return length;
};
const readRandom = (fs: DevFs, to: number, length: number): number => {
  // getrandom of hosts takes 64 KiB at a time.
  for (let at = 0; at < length; at += 65536) fs.host.random(fs.ram.view(to + at, Math.min(65536, length - at)));
  fs.ram.changed(to, length);
  return length;
};
const swallow = (_fs: DevFs, _from: number, length: number): number => length;
const elsewhere = (): number => -ENXIO;

const DEVICES: readonly Device[] = [
  { name: "null", major: 1, minor: 3, read: () => 0, write: swallow },
  { name: "zero", major: 1, minor: 5, read: readZero, write: swallow },
  { name: "full", major: 1, minor: 7, read: readZero, write: (_fs, _from, length) => length === 0 ? 0 : -ENOSPC },
  { name: "random", major: 1, minor: 8, read: readRandom, write: swallow },
  { name: "urandom", major: 1, minor: 9, read: readRandom, write: swallow },
  { name: "tty", major: 5, minor: 0, read: elsewhere, write: elsewhere },
  { name: "console", major: 5, minor: 1, read: elsewhere, write: elsewhere },
  { name: "ptmx", major: 5, minor: 2, read: elsewhere, write: elsewhere },
];
const LINKS: readonly [string, string][] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];
/** Mount points and scratch directories that programs expect. */
const DIRECTORIES = ["pts", "shm"];

export class DevFs implements FileSystem {
  /** Devices are written through, but names cannot be made here. */
  readonly readOnly = false;
  readonly root: Node;
  readonly started: [number, number];

  constructor(readonly dev: number, readonly ram: Ram, readonly host: DeviceHost, clock: Clock) {
    clock.read();
    this.started = [clock.seconds, clock.nanoseconds];
    this.root = new DeviceDirectory(this, 1, true);
    this.root.parent = this.root;
  }

  statfs(out: FsStatfs): number {
    out.type = TMPFS_MAGIC;
    out.bsize = PAGE;
    out.blocks =
      out.bfree =
      out.files =
      out.ffree =
        0;
    out.namelen = NAME_MAX;
    out.readOnly = false;
    return 0;
  }
}

abstract class DevNode extends Node {
  constructor(override readonly fs: DevFs, readonly ino: number, readonly mode: number) {
    super(fs);
  }
  get type(): number {
    return this.mode & 0o170000;
  }
  protected rdev = 0;
  stat(out: FsStat): number {
    out.dev = this.fs.dev;
    out.ino = this.ino;
    out.mode = this.mode;
    out.nlink = this.isDirectory ? 2 : 1;
    out.uid = out.gid = 0;
    out.rdev = this.rdev;
    out.size = this.size();
    out.blksize = PAGE;
    out.blocks = 0;
    for (const time of [out.atime, out.mtime, out.ctime]) time[0] = this.fs.started[0], time[1] = this.fs.started[1];
    return 0;
  }
}

class DeviceDirectory extends DevNode {
  private readonly children = new Map<string, Node>();

  constructor(fs: DevFs, ino: number, full: boolean) {
    super(fs, ino, S_IFDIR | 0o755);
    if (!full) return;
    for (const device of DEVICES) this.children.set(device.name, new DeviceNode(fs, ++ino, device));
    for (const [name, target] of LINKS) this.children.set(name, new DeviceLink(fs, ++ino, target));
    for (const name of DIRECTORIES) {
      const directory = new DeviceDirectory(fs, ++ino, false);
      directory.parent = this;
      directory.name = name;
      this.children.set(name, directory);
    }
  }
  override lookup(name: string): Node | number {
    return this.children.get(name) ?? -ENOENT;
  }
  override entries(): DirectoryEntry[] {
    return Array.from(this.children, ([name, node]) => ({
      name,
      ino: node instanceof DevNode ? node.ino : 0,
      type: directoryType(node.type),
    }));
  }
}

class DeviceNode extends DevNode {
  constructor(fs: DevFs, ino: number, private readonly device: Device) {
    super(fs, ino, S_IFCHR | 0o666);
    this.rdev = device.major << 8 | device.minor;
  }
  override read(_offset: number, to: number, length: number): number {
    return this.device.read(this.fs, to, length);
  }
  override write(_offset: number, from: number, length: number): number {
    return this.device.write(this.fs, from, length);
  }
  /** O_TRUNC on a device has no effect (open(2)); ftruncate is refused by the caller, which knows the type. */
  override truncate(): number {
    return 0;
  }
  override chmod(): number {
    return 0;
  }
  override utime(): number {
    return 0;
  }
}

class DeviceLink extends DevNode {
  constructor(fs: DevFs, ino: number, private readonly target: string) {
    super(fs, ino, S_IFLNK | 0o777);
  }
  override size(): number {
    return this.target.length;
  }
  override readlink(): string {
    return this.target;
  }
}
