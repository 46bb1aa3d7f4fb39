/** A file service in a PD of its own on a real kernel (with a processor that is never used), for tests and benchmarks. */
import { testKernel } from "../../hedron/testing/mod.ts";
import { USER_RAM } from "../../cpu/layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../../cpu/space.ts";
import type { HostEc } from "../../hedron/api.ts";
import type { HostDirectory } from "../../host/api.ts";
import { delegateMemory, fetchObject } from "../../roottask/delegate.ts";
import { administerFs, attachFs, createHostPd, startHostPd } from "../../roottask/host_pds.ts";
import { GSI, KERNEL_GSI, object, ROOT } from "../../roottask/layout.ts";
import { IpcFsClient } from "../../fs/client.ts";
import { fileService, FS_ADMIN } from "../../fs/program.ts";
import { FS_ADMIN_OP, MOUNT_KIND } from "../../fs/protocol.ts";

export interface RigMount {
  guest: string;
  source: "memory" | Uint8Array | HostDirectory;
  overlay?: boolean;
}

export interface Rig {
  readonly fs: IpcFsClient;
  readonly ec: HostEc;
  /** Address of 4 MiB that belong to the client. */
  readonly buffer: number;
  /** Puts text or bytes at `buffer`; their number. */
  put(data: string | Uint8Array): number;
  get(length: number): Uint8Array;
  text(length: number): string;
  /** Status of a mount made later. */
  mount(mount: RigMount): number;
}

const MIB = 1 << 20, BUFFER_BYTES = 4 * MIB, IMAGE_BYTES = 4 * MIB;
const RWX = RIGHT_R | RIGHT_W | RIGHT_X;

/** Runs `body` with a client of a fresh service whose pool has `poolBytes`. */
export function withFs(mounts: RigMount[], body: (rig: Rig) => void, poolBytes = 32 * MIB): void {
  const directories: HostDirectory[] = [];
  let failure: unknown, done = false;
  const image = USER_RAM, window = image + IMAGE_BYTES, pool = window + BUFFER_BYTES, end = pool + poolBytes;
  const t = testKernel(function* (ec) {
    delegateMemory(ec, USER_RAM, end - USER_RAM, ROOT.PD, USER_RAM, RWX, { hypervisor: true });
    ec.delegate(ROOT.PD, object(KERNEL_GSI + GSI.IDLE, 31), ROOT.PD, object(ROOT.SLEEP, 31), { hypervisor: true });
    const service = fileService({
      wallClock: () => [Math.floor(Date.now() / 1000), Date.now() % 1000 * 1e6],
      random: (out) => void crypto.getRandomValues(out as Uint8Array<ArrayBuffer>),
      directories,
    });
    createHostPd(ec, ROOT.FS_PD, ROOT.FS_EC, service, [{ start: USER_RAM, bytes: end - USER_RAM }]);
    yield* startHostPd(ec, ROOT.FS_PD, ROOT.FS_EC, ROOT.FS_SC, FS_ADMIN, ROOT.FS_ADMIN);
    administerFs(ec, FS_ADMIN_OP.START, [pool, poolBytes]);
    let used = 0;
    const mount = ({ guest, source, overlay }: RigMount): number => {
      let kind: number = MOUNT_KIND.MEMORY, a = 0, b = 0;
      if (source instanceof Uint8Array) {
        ec.memory.view(image + used, source.length, true).set(source);
        kind = MOUNT_KIND.TAR;
        a = image + used;
        b = source.length;
        used += source.length;
      } else if (source !== "memory") {
        kind = MOUNT_KIND.HOST;
        a = directories.push(source) - 1;
      }
      return administerFs(ec, FS_ADMIN_OP.MOUNT, [kind, a, b, overlay ? 1 : 0], guest);
    };
    try {
      for (const each of mounts) {
        const status = mount(each);
        if (status < 0) throw new Error(`Cannot mount "${each.guest}": ${status}`);
      }
      fetchObject(ec, ROOT.FS_PD, attachFs(ec, { start: window, bytes: BUFFER_BYTES }), ROOT.FS_SESSION);
      body({
        fs: new IpcFsClient(ec, ROOT.FS_SESSION),
        ec,
        buffer: window,
        put(data) {
          const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
          ec.memory.view(window, bytes.length, true).set(bytes);
          return bytes.length;
        },
        get: (length) => ec.memory.view(window, length, false).slice(),
        text: (length) => new TextDecoder().decode(ec.memory.view(window, length, false).slice()),
        mount,
      });
    } catch (error) {
      failure = error;
    }
    done = true;
  }, end);
  while (!done) {
    const { state } = t.run();
    if (state === "finished" && !done) throw new Error("The kernel ran out of work before the test had ended");
  }
  if (failure !== undefined) throw failure;
}
