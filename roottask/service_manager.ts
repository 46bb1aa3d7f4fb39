/** Services that are guest binaries: their start, the portals they offer, their restart. */
import { CrdKind, type HostEc, type PortalHandler } from "../hedron/api.ts";
import { EAGAIN, EINVAL, ENOENT, ENOSYS, EPERM } from "../host/errno.ts";
import { decodeText } from "../fs/text.ts";
import { fetchObject } from "./delegate.ts";
import { ALL_RIGHTS, object, OFFERED, RIGHT_CALL } from "./layout.ts";
import type { ServiceSpec } from "./manifest.ts";
import type { Process } from "./process.ts";
import { type Context, SERVICE_ID_SHIFT } from "./processes.ts";
import { BROKER } from "./protocol.ts";

interface Service {
  readonly spec: ServiceSpec;
  /** Selector in roottask of the portal that it offers. */
  readonly portal: number;
  /** 0: it does not run. */
  pid: number;
  offered: boolean;
  restarts: number;
  /** It has ended and the policy wants it back. */
  wanted: boolean;
}

/** Starts a service's binary: its process, or -errno. */
export type Launch = (spec: ServiceSpec) => Process | number;

export class Services {
  private readonly services: Service[];

  constructor(private readonly context: Context, specs: readonly ServiceSpec[], private readonly launch: Launch) {
    this.services = specs.map((spec, i) => ({
      spec,
      portal: OFFERED + i,
      pid: 0,
      offered: false,
      restarts: 0,
      wanted: true,
    }));
  }

  /** Starts what should run and does not. In roottask's main EC only. */
  startWanted(): void {
    for (const service of this.services) {
      if (!service.wanted) continue;
      service.wanted = false;
      const process = this.launch(service.spec);
      if (typeof process !== "number") service.pid = process.pid;
      else this.context.output.message(`Cannot start service "${service.spec.name}": error ${-process}`);
    }
  }

  isService(pid: number): boolean {
    return this.services.some((service) => service.pid === pid);
  }

  /** A process has ended: decides whether it is to come back. */
  ended(process: Process, exitCode: number): void {
    const service = this.services.find(({ pid }) => pid === process.pid);
    if (service === undefined) return;
    const { restart, maxRestarts, name } = service.spec;
    service.pid = 0;
    service.offered = false;
    const again = restart === "always" || restart === "on-failure" && exitCode !== 0;
    if (!again) return;
    if (service.restarts >= maxRestarts) {
      this.context.output.message(`Service "${name}" stays down after ${service.restarts} restarts`);
      return;
    }
    service.restarts++;
    service.wanted = true;
  }

  /** The broker's portal (BROKER in protocol.ts). */
  get broker(): PortalHandler {
    return (id, ec) => {
      const pid = Math.floor(id / 2 ** SERVICE_ID_SHIFT), { utcb } = ec;
      const words = utcb.untyped, operation = utcb.get(0);
      utcb.typed = 0;
      const result = words < 2
        ? -EINVAL
        : operation === BROKER.CONNECT
        ? this.connect(ec, utcb.get(1), words)
        : operation === BROKER.OFFER
        ? this.offer(ec, pid, utcb.get(1))
        : -ENOSYS;
      utcb.untyped = 1;
      utcb.set(0, result);
    };
  }

  private connect({ utcb }: HostEc, length: number, words: number): number {
    if (!(length >= 0 && length <= (words - 2) * 8)) return -EINVAL;
    const name = decodeText(utcb.bytes, 16, length), service = this.services.find(({ spec }) => spec.name === name);
    if (service === undefined) return -ENOENT;
    if (!service.offered) return service.pid !== 0 || service.wanted ? -EAGAIN : -ENOENT;
    utcb.setTyped(0, object(service.portal, RIGHT_CALL), { delegate: true, hotspot: 0 });
    utcb.typed = 1;
    return 0;
  }

  /** Roottask takes the portal out of the service's capability space; it goes with the service's PD. */
  private offer(ec: HostEc, pid: number, selector: number): number {
    const service = this.services.find((each) => each.pid === pid), process = this.context.processes.get(pid);
    if (service === undefined || process === undefined) return -EPERM;
    const crd = object(service.portal, ALL_RIGHTS);
    if (ec.lookup(crd).kind !== CrdKind.Null) ec.revoke(crd, true);
    if (!fetchObject(ec, process.selectors.pd, selector, service.portal)) return -EINVAL;
    ec.label(service.portal, `service ${service.spec.name}`);
    service.offered = true;
    return 0;
  }
}
