/** The table of processes: their portals, their end. */
import { type Crd, CrdKind, type HostEc, MTD, type PortalHandler, Status } from "../hedron/api.ts";
import type { IpcFsClient } from "../fs/client.ts";
import type { Pool } from "../fs/pool.ts";
import { ALL_RIGHTS, EXCEPTIONS, object, processSelectors, ROOT, SERVICE, SERVICE_NAMES, SERVICES } from "./layout.ts";
import type { Personalities } from "./personalities.ts";
import type { Services } from "./service_manager.ts";
import type { Output } from "./output.ts";
import { Process } from "./process.ts";

/** How a process ended. */
export interface Ending {
  /** Shell convention: exit code, or 128 + signal. */
  exitCode: number;
  message?: string;
}

/** What all parts of roottask share. */
export interface Context {
  readonly main: HostEc;
  readonly output: Output;
  /** Memory of hyperapps. */
  readonly pool: Pool;
  /** Set `ec` before use. */
  readonly fs: IpcFsClient;
  readonly processes: Processes;
  /** When there is a manifest. */
  services?: Services;
  readonly personalities: Personalities;
  /** A process is about to end or has something to say; its objects still exist. */
  observe?(): void;
}

/** Portal ids: 32 per process for exceptions, 8 for services. */
export const EXCEPTION_ID_SHIFT = 5, SERVICE_ID_SHIFT = 3;

export class Processes {
  private readonly byPid = new Map<number, Process>();
  private readonly slots: boolean[];
  private nextPid = 1;
  /** `firstSlot`: processes use the selectors of this slot and up. */
  constructor(firstSlot = 0) {
    this.slots = new Array<boolean>(Math.max(1, firstSlot)).fill(true);
  }

  /** Endings that nobody has asked for yet. */
  readonly endings = new Map<number, Ending>();

  get(pid: number): Process | undefined {
    return this.byPid.get(pid);
  }

  get living(): Iterable<Process> {
    return this.byPid.values();
  }

  create(kind: Process["kind"], name: string): Process {
    let slot = this.slots.indexOf(false);
    if (slot < 0) slot = this.slots.length;
    this.slots[slot] = true;
    const process = new Process(this.nextPid++, name, kind, slot, processSelectors(slot));
    this.byPid.set(process.pid, process);
    return process;
  }

  createServicePortals(ec: HostEc, process: Process, handlers: readonly PortalHandler[], rawEcho: number): void {
    // A process of a personality ends by its personality, so it has no exit portal.
    const count = process.kind !== "hyperapp" ? SERVICE.EXIT : SERVICES;
    for (let s = 0; s < count; s++) {
      const selector = process.selectors.services + s, server = s === rawEcho ? ROOT.RAW_ECHO_EC : ROOT.SERVICE_EC;
      ec.createPt(selector, ROOT.PD, server, 0, handlers[s]);
      ec.ptCtrl(selector, process.pid << SERVICE_ID_SHIFT | s);
      ec.label(selector, `${SERVICE_NAMES[s]} of process ${process.pid}`);
    }
  }

  createExceptionPortals(ec: HostEc, process: Process, handler: PortalHandler): void {
    for (let v = 0; v < EXCEPTIONS; v++) {
      const selector = process.selectors.exceptions + v;
      ec.createPt(selector, ROOT.PD, ROOT.EXCEPTION_EC, MTD.DEFAULT, handler);
      ec.ptCtrl(selector, process.pid << EXCEPTION_ID_SHIFT | v);
      ec.label(selector, `exceptions of process ${process.pid}`);
    }
  }

  /**
   * Takes everything from a process: its capabilities, the objects behind them, its files and memory. Called in a handler of the
   * process's own portals, too: the reply then has nobody to go to.
   */
  end(context: Context, ec: HostEc, process: Process, ending: Ending): void {
    if (!this.byPid.has(process.pid)) return;
    context.observe?.();
    this.byPid.delete(process.pid);
    const { selectors } = process;
    if (process.kind === "hyperapp") {
      for (const selector of [selectors.sc, selectors.ec, selectors.pd]) revokeAll(ec, selector);
      for (let v = 0; v < EXCEPTIONS; v++) revokeAll(ec, selectors.exceptions + v);
    }
    for (let s = 0; s < SERVICES; s++) revokeAll(ec, selectors.services + s);
    revokeAll(ec, selectors.broker);
    context.services?.ended(process, ending.exitCode);
    context.fs.ec = ec;
    for (const file of process.files.values()) context.fs.close(file.handle);
    for (const { pa, bytes } of process.mappings) context.pool.give(pa, bytes);
    this.slots[process.slot] = false;
    this.endings.set(process.pid, ending);
    context.output.ended(process);
    ec.smUp(ROOT.SLEEP);
  }
}

function revokeAll(ec: HostEc, selector: number): Status {
  const crd: Crd = object(selector, ALL_RIGHTS);
  return ec.lookup(crd).kind === CrdKind.Null ? Status.Success : ec.revoke(crd, true);
}
