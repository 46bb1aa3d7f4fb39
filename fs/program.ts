/** The file service as a host program: its portals, its file systems and mounts. */
import { EBUSY, EINVAL, EMFILE, ENODEV, ENOENT, ENOSYS } from "../host/errno.ts";
import type { HostDirectory } from "../host/api.ts";
import { CrdKind, type HostEc, type HostProgram } from "../hedron/api.ts";
import { HOST_PD } from "../roottask/protocol.ts";
import { Layer } from "./changes.ts";
import { DevFs } from "./dev_fs.ts";
import { ElsewhereFs } from "./elsewhere_fs.ts";
import { PROC_SUPER_MAGIC, SYSFS_MAGIC } from "./flags.ts";
import { HostFs } from "./host_fs.ts";
import { MemoryDirectory, MemoryFs } from "./memory_fs.ts";
import { Last, Namespace } from "./namespace.ts";
import type { Clock, Node, Ram } from "./node.ts";
import { Pool } from "./pool.ts";
import { FIRST_LENGTH, FS_ADMIN_OP, MAX_SESSIONS, MAX_TEXT, MOUNT_KIND, TEXT_WORD } from "./protocol.ts";
import { Session } from "./service.ts";
import { TarFs } from "./tar_fs.ts";
import { decodeText } from "./text.ts";

export interface FileServiceHost {
  /** Wall clock as [seconds, nanoseconds]. */
  wallClock(): [number, number];
  random(out: Uint8Array): void;
  /** Host directories that this machine has been granted; mounts name them by index. */
  readonly directories: readonly HostDirectory[];
  /** Told of every writable layer that is mounted as asked: for what the run has changed in the end. */
  mounted?(layer: Layer): void;
}

/** Selectors and addresses in the file service's PD. */
const SERVICE_EC = HOST_PD.FREE;
export const FS_ADMIN = HOST_PD.FS + MAX_SESSIONS;
const ADMIN_ID = 0;
const FIRST_DEV = 0x14;

/** `ram` of a PD whose memory is mapped at virtual = physical addresses. */
export function ramOf(ec: HostEc): Ram {
  const { memory } = ec;
  return {
    copy: (to, from, length) => memory.copy(to, from, length),
    fill: (address, value, length) => memory.fill(address, value, length),
    view: (address, length) => memory.view(address, length, true),
    changed: (address, length) => memory.codeChanged(address, length),
  };
}

export function clockOf(host: { wallClock(): [number, number] }): Clock {
  return {
    seconds: 0,
    nanoseconds: 0,
    read() {
      [this.seconds, this.nanoseconds] = host.wallClock();
    },
  };
}

/** The file service proper; `program` below only gives it portals. */
export class FileService {
  readonly sessions = new Map<number, Session>();
  private names: Namespace | undefined;
  private pool = new Pool(0, 0);
  private readonly clock: Clock;
  private nextDev = FIRST_DEV;

  constructor(private readonly host: FileServiceHost, private readonly ram: Ram) {
    this.clock = clockOf(host);
  }

  start(address: number, bytes: number): void {
    this.pool = new Pool(address, bytes);
  }

  mount(kind: number, a: number, b: number, overlay: boolean, path: string): number {
    this.names?.asItself();
    let root = this.source(kind, a, b);
    if (typeof root === "number") return root;
    if (overlay) root = this.memory(root);
    if (root instanceof MemoryDirectory && this.host.mounted !== undefined) this.host.mounted(new Layer(path, root));
    if (path === "/") {
      if (this.names !== undefined) return -EBUSY;
      this.names = new Namespace(root);
      return this.mountDevices();
    }
    return this.names === undefined ? -ENOENT : this.attach(this.names, path, root);
  }

  private memory(lower?: Node): Node {
    return new MemoryFs(this.nextDev++, this.pool, this.ram, this.clock, lower).root;
  }

  private source(kind: number, a: number, b: number): Node | number {
    switch (kind) {
      case MOUNT_KIND.MEMORY:
        return this.memory();
      case MOUNT_KIND.TAR:
        return new TarFs(this.nextDev++, this.ram, a, b).root;
      case MOUNT_KIND.HOST: {
        const directory = this.host.directories[a];
        return directory === undefined ? -ENODEV : new HostFs(this.nextDev++, this.ram, directory, this.clock).root;
      }
    }
    return -EINVAL;
  }

  private mountDevices(): number {
    const status = this.attach(this.names!, "/dev", new DevFs(this.nextDev++, this.ram, this.host, this.clock).root);
    if (status < 0) return status;
    const shared = this.memory();
    shared.chmod(0o1777);
    return this.attach(this.names!, "/dev/shm", shared) || this.mountElsewhere();
  }

  /** What only the personality can show hides what the root has under these names: a host's own /proc is nobody's business. */
  private mountElsewhere(): number {
    for (const [path, type] of [["/proc", PROC_SUPER_MAGIC], ["/sys", SYSFS_MAGIC]] as const) {
      const status = this.attach(this.names!, path, new ElsewhereFs(this.nextDev++, type, this.clock).root);
      if (status < 0) return status;
    }
    return 0;
  }

  /** Mounts, making the directories that lead there in a file system of their own when they are missing. */
  private attach(names: Namespace, path: string, root: Node): number {
    const status = names.mount(path, root);
    if (status !== -ENOENT) return status;
    const parts = path.split("/").filter((part) => part !== "");
    for (let i = 1; i < parts.length; i++) {
      const prefix = `/${parts.slice(0, i).join("/")}`;
      if (names.walk(names.root, prefix, Last.Follow) === 0) continue;
      const made = names.mount(prefix, this.memory());
      if (made < 0) return made;
      for (let j = i + 1; j < parts.length; j++) names.mkdir(names.root, `/${parts.slice(0, j).join("/")}`, 0o755);
      return names.mount(path, root);
    }
    return status;
  }

  /** A new session, or -errno. */
  open(window: number, bytes: number): number {
    if (this.names === undefined) return -ENOENT;
    for (let n = 0; n < MAX_SESSIONS; n++) {
      if (this.sessions.has(n)) continue;
      this.sessions.set(n, new Session(this.names, window, bytes, () => this.sessions.values(), this.clock, this.ram));
      return n;
    }
    return -EMFILE;
  }

  close(session: number): number {
    this.sessions.get(session)?.handles.closeAll();
    return this.sessions.delete(session) ? 0 : -EINVAL;
  }
}

/** The file service as roottask starts it. Portal ids: 0 administration, n + 1 session n. */
export function fileService(host: FileServiceHost): HostProgram {
  return {
    name: "fs",
    main(ec) {
      const service = new FileService(host, ramOf(ec));
      const portal = (selector: number, id: number, handler: (id: number, ec: HostEc) => void): number => {
        const status = ec.createPt(selector, HOST_PD.SELF_PD, SERVICE_EC, 0, handler);
        ec.label(selector, id === ADMIN_ID ? "administration" : `session ${id}`);
        return status === 0 ? ec.ptCtrl(selector, id) : status;
      };
      const serve = (id: number, handler: HostEc): void => service.sessions.get(id - 1)?.serve(handler);
      const administer = (_id: number, handler: HostEc): void => {
        const { utcb } = handler, a = utcb.get(1), b = utcb.get(2), c = utcb.get(3), overlay = utcb.get(4) === 1;
        let result: number = -ENOSYS;
        switch (utcb.get(0)) {
          case FS_ADMIN_OP.START:
            service.start(a, b);
            result = 0;
            break;
          case FS_ADMIN_OP.MOUNT:
            result = service.mount(
              a,
              b,
              c,
              overlay,
              decodeText(utcb.bytes, TEXT_WORD * 8, Math.min(utcb.get(FIRST_LENGTH), MAX_TEXT)),
            );
            break;
          case FS_ADMIN_OP.ATTACH:
            result = service.open(a, b);
            if (result >= 0 && portal(HOST_PD.FS + result, result + 1, serve) !== 0) result = -EMFILE;
            break;
          case FS_ADMIN_OP.DETACH:
            result = service.close(a);
            if (result === 0) ec.revoke({ kind: CrdKind.Object, base: HOST_PD.FS + a, order: 0, rights: 0x1f }, true);
            break;
        }
        utcb.untyped = 1;
        utcb.set(0, result);
      };
      ec.createEc(SERVICE_EC, HOST_PD.SELF_PD, { global: false, utcb: 0 });
      ec.label(SERVICE_EC, "sessions");
      portal(FS_ADMIN, ADMIN_ID, administer);
    },
  };
}
