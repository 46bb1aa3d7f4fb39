/** Services that are guest binaries: their start, the portals they offer, their restart. */
import { CrdKind, type HostEc, type PortalHandler, type Status, type Wait } from "../hedron/api.ts";
import { EAGAIN, EINVAL, ENOENT, ENOSYS, EPERM } from "../host/errno.ts";
import { decodeText } from "../fs/text.ts";
import { fetchObject } from "./delegate.ts";
import { ALL_RIGHTS, object, OFFERED, type PersonalityName, RIGHT_CALL, ROOT } from "./layout.ts";
import type { ServiceSpec } from "./manifest.ts";
import { reason } from "./messages.ts";
import type { Process } from "./process.ts";
import { type Context, SERVICE_ID_SHIFT } from "./processes.ts";
import { BROKER } from "./protocol.ts";

interface Service {
  readonly spec: ServiceSpec;
  /** Selector in roottask of the portal that it offers. */
  readonly portal: number;
  running: boolean;
  /** 0 for a host PD, and when it does not run. */
  pid: number;
  offered: boolean;
  restarts: number;
  /** It has ended and the policy wants it back. */
  wanted: boolean;
  /** It has ended at least once. */
  over: boolean;
}

/** Starts a service: its pid (0 for a host PD), or -errno. */
export type Launch = (spec: ServiceSpec) => Generator<Wait, number, Status>;

/** Exit code of a service that was killed: that of SIGKILL. */
const KILLED = 137;

export class Services {
  private readonly services: Service[];

  constructor(private readonly context: Context, specs: readonly ServiceSpec[], private readonly launch: Launch) {
    this.services = specs.map((spec, i) => ({
      spec,
      portal: OFFERED + i,
      running: false,
      pid: 0,
      offered: false,
      restarts: 0,
      wanted: true,
      over: false,
    }));
  }

  /** Starts what should run and does not. In roottask's main EC only. */
  *startWanted(): Generator<Wait, void, Status> {
    for (const service of this.services) {
      if (!service.wanted) continue;
      service.wanted = false;
      service.running = true;
      const pid = yield* this.launch(service.spec);
      service.running = pid >= 0;
      service.pid = Math.max(0, pid);
      if (pid < 0) this.context.output.message(`Cannot start service "${service.spec.name}": ${reason(pid)}`);
    }
  }

  /** A process has ended: decides whether it is to come back. */
  ended(process: Process, exitCode: number): void {
    const service = this.services.find(({ pid }) => pid === process.pid);
    if (service !== undefined) this.over(service, exitCode);
  }

  /** The same for a personality, if the manifest names it. */
  hostEnded(host: PersonalityName, exitCode: number): void {
    const service = this.hosted(host);
    if (service !== undefined) this.over(service, exitCode);
  }

  /** It has ended and the manifest does not want it back. */
  staysDown(host: PersonalityName): boolean {
    const service = this.hosted(host);
    return service !== undefined && service.over && !service.wanted && !service.running;
  }

  private hosted(host: PersonalityName): Service | undefined {
    return this.services.find(({ spec: { program } }) => "host" in program && program.host === host);
  }

  private over(service: Service, exitCode: number): void {
    const { restart, maxRestarts, name } = service.spec;
    service.running = false;
    service.over = true;
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
        : operation === BROKER.KILL
        ? this.kill(ec, pid, utcb.get(1), words)
        : -ENOSYS;
      utcb.untyped = 1;
      utcb.set(0, result);
    };
  }

  private connect({ utcb }: HostEc, length: number, words: number): number {
    if (!(length >= 0 && length <= (words - 2) * 8)) return -EINVAL;
    const service = this.named(decodeText(utcb.bytes, 16, length));
    if (service === undefined || "host" in service.spec.program) return -ENOENT;
    if (!service.offered) return service.running || service.wanted ? -EAGAIN : -ENOENT;
    utcb.setTyped(0, object(service.portal, RIGHT_CALL), { delegate: true, hotspot: 0 });
    utcb.typed = 1;
    return 0;
  }

  private named(name: string): Service | undefined {
    return this.services.find(({ spec }) => spec.name === name);
  }

  /** A program of a personality ends by its personality only. */
  private kill(ec: HostEc, pid: number, length: number, words: number): number {
    const { context } = this, killer = this.services.find((each) => each.pid === pid);
    if (killer === undefined || !killer.spec.capabilities.includes("kill")) return -EPERM;
    if (!(length >= 0 && length <= (words - 2) * 8)) return -EINVAL;
    const service = this.named(decodeText(ec.utcb.bytes, 16, length));
    if (service === undefined) return -ENOENT;
    if (!service.running) return -EAGAIN;
    const { program, name } = service.spec;
    if ("host" in program) {
      const status = context.personalities.kill(program.host);
      ec.smUp(ROOT.SLEEP);
      return status;
    }
    const process = context.processes.get(service.pid);
    if (process?.kind !== "hyperapp") return -ENOSYS;
    context.output.message(`Service "${name}" has been killed`);
    context.processes.end(context, ec, process, { exitCode: KILLED });
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
