import { CrdKind } from "../../hedron/api.ts";
import { HOST_PD, PROCESS_SERVICE } from "../../roottask/protocol.ts";
import type { Personality } from "../personality.ts";
import { objectCrd } from "./kernel_space.ts";
import type { Process } from "./process.ts";

/** log2 of the selectors that a window for service capabilities has. */
export const SERVICE_ORDER = 3;

/** A pid from roottask, and its six service portals at `window`. `parent`: pid of the process whose name it takes over, 0 = none. */
export function register(os: Personality, parent = 0): { pid: number; window: number } {
  const { ec } = os.current;
  const { utcb } = ec;
  const window = os.selectors.takeBlock();
  utcb.del = { kind: CrdKind.Object, base: window, order: SERVICE_ORDER, rights: 0x1f };
  utcb.set(0, PROCESS_SERVICE.REGISTER);
  utcb.set(1, parent);
  utcb.untyped = 2;
  utcb.typed = 0;
  ec.call(HOST_PD.PROCESS);
  // The items of the reply must not travel on with this EC's own next reply.
  utcb.typed = 0;
  return { pid: utcb.get(0), window };
}

/** Tells roottask that a process has ended, `status` as wait4 gives it. */
export function unregister(os: Personality, p: Process, status: number): void {
  const { ec } = os.current;
  const { utcb } = ec;
  ec.revoke(objectCrd(p.services, SERVICE_ORDER), true);
  os.selectors.giveBlock(p.services);
  utcb.set(0, PROCESS_SERVICE.EXITED);
  utcb.set(1, p.pid);
  utcb.set(2, status);
  utcb.untyped = 3;
  utcb.typed = 0;
  ec.call(HOST_PD.PROCESS);
  utcb.typed = 0;
}
