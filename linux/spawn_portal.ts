import { type HostEc, Status } from "../hedron/api.ts";
import { EINVAL } from "../host/errno.ts";
import { HOST_PD, SPAWN_SERVICE, type SpawnRequest } from "../roottask/protocol.ts";
import type { CurrentEc } from "./process/kernel_space.ts";
import type { Selectors } from "./process/selectors.ts";

/** The portal by which roottask starts programs of a personality. `start` gives the new pid, or -errno of Linux. */
export function serveSpawn(
  os: { readonly current: CurrentEc; readonly selectors: Selectors; enter(ec: HostEc): void },
  start: (request: SpawnRequest) => number,
): Status {
  const { ec } = os.current;
  const local = os.selectors.take();
  ec.createEc(local, HOST_PD.SELF_PD, { global: false, utcb: 0 });
  ec.label(local, "spawn");
  const status = ec.createPt(HOST_PD.SPAWN, HOST_PD.SELF_PD, local, 0, (_id, handler) => {
    os.enter(handler);
    const { utcb } = handler;
    const request = readRequest(handler);
    utcb.set(0, request === undefined ? -EINVAL : start(request));
    utcb.untyped = 1;
    utcb.typed = 0;
  });
  ec.label(HOST_PD.SPAWN, "start programs");
  return status;
}

/** The JSON of a START message, from the message itself or from the pool. */
function readRequest({ utcb, memory }: HostEc): SpawnRequest | undefined {
  if (utcb.get(0) !== SPAWN_SERVICE.START) return undefined;
  const length = utcb.get(1);
  const bytes = length > 0 ? utcb.bytes.slice(16, 16 + length) : memory.u8.slice(utcb.get(2), utcb.get(2) + utcb.get(3));
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRequest(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRequest(value: unknown): value is SpawnRequest {
  if (typeof value !== "object" || value === null) return false;
  const { path, argv, env, cwd } = value as Partial<SpawnRequest>;
  return typeof path === "string" && Array.isArray(argv) && Array.isArray(env) && typeof cwd === "string";
}
