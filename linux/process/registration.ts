/** What a personality asks of roottask's process service. */
import { CrdKind } from "../../hedron/api.ts";
import { HOST_PD, PROCESS_SERVICE } from "../../roottask/protocol.ts";
import { type CurrentEc, objectCrd } from "./kernel_space.ts";
import type { Selectors } from "./selectors.ts";

/** log2 of the selectors that a window for service capabilities has. */
const SERVICE_ORDER = 3;

/** A personality, whichever it is. */
export interface Registrar {
  readonly current: CurrentEc;
  readonly selectors: Selectors;
}

/** A pid from roottask, and its six service portals at `window`. `parent`: pid of the process whose name it takes over, 0 = none. */
export function register(os: Registrar, parent = 0): { pid: number; window: number } {
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
export function unregister(os: Registrar, p: { pid: number; services: number }, status: number): void {
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

/** Fills `bytes` of RAM at `pa` with entropy; returns how many. Preconditions: the memory is the personality's own. */
export function entropy({ current }: Pick<Registrar, "current">, pa: number, bytes: number): number {
  const { utcb } = current.ec;
  utcb.set(0, PROCESS_SERVICE.RANDOM);
  utcb.set(1, pa);
  utcb.set(2, bytes);
  utcb.untyped = 3;
  utcb.typed = 0;
  current.ec.call(HOST_PD.PROCESS);
  return utcb.get(0);
}
