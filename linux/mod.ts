import type { Coroutine, HostEc, HostProgram } from "../hedron/api.ts";
import { HOST_PD, SPAWN_SERVICE, type SpawnRequest } from "../roottask/protocol.ts";
import { E } from "./abi/errno.ts";
import { type LinuxOptions, Personality } from "./personality.ts";

/** The Linux personality as a program for a host PD. `options` are the defaults; each start request may ask for more. */
export function createLinux(options: LinuxOptions = { strace: false, verbose: false }): HostProgram {
  return {
    name: "linux",
    main(ec: HostEc): Coroutine {
      const os = new Personality(ec, options);
      createSpawnPortal(os);
      return os.run(ec);
    },
  };
}

/** The portal by which roottask starts programs. */
function createSpawnPortal(os: Personality): void {
  const { ec } = os.current;
  const local = os.selectors.take();
  ec.createEc(local, HOST_PD.SELF_PD, { global: false, utcb: 0 });
  ec.label(local, "spawn");
  ec.createPt(HOST_PD.SPAWN, HOST_PD.SELF_PD, local, 0, (_id, handler) => {
    os.enter(handler);
    const { utcb } = handler;
    const request = readRequest(os, handler);
    const result = request === undefined ? -E.EINVAL : os.start(request);
    utcb.set(0, result);
    utcb.untyped = 1;
    utcb.typed = 0;
  });
}

/** The JSON of a START message, from the message itself or from the pool. */
function readRequest(os: Personality, { utcb }: HostEc): SpawnRequest | undefined {
  if (utcb.get(0) !== SPAWN_SERVICE.START) return undefined;
  const length = utcb.get(1);
  const bytes = length > 0 ? utcb.bytes.slice(16, 16 + length) : os.u8.slice(utcb.get(2), utcb.get(2) + utcb.get(3));
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
