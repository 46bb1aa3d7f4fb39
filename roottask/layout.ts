/** Roottask's own capability space and the numbers it decides about. */
import { CrdKind } from "../hedron/api.ts";

/** Selectors in the root PD. Up to 2889 they are those of the thesis's roottask (ABI 10.2). */
export const ROOT = {
  PD: 32,
  EC: 33,
  SC: 34,
  /** Local EC of all exception portals. */
  EXCEPTION_EC: 35,
  /** Local EC of all service portals. */
  SERVICE_EC: 36,
  /** Semaphore the main EC waits on: kernel semaphore of GSI.IDLE, which service handlers up as well. */
  SLEEP: 37,
  RAW_ECHO_EC: 38,
  /** Host PDs: PD, EC, SC each. */
  FS_PD: 0x8000,
  FS_EC: 0x8001,
  FS_SC: 0x8002,
  FS_ADMIN: 0x8003,
  FS_SESSION: 0x8004,
  PERMISSIONS: 0x9000,
} as const;

/** Operating systems that a personality exists for. */
export const PERSONALITIES = ["linux", "freebsd"] as const;
export type PersonalityName = (typeof PERSONALITIES)[number];
export const isPersonality = (name: unknown): name is PersonalityName => PERSONALITIES.some((each) => each === name);

export interface PersonalitySelectors {
  pd: number;
  ec: number;
  sc: number;
  spawn: number;
  processService: number;
  consoleService: number;
  /** What its main EC sleeps on: console input, and its own timers. */
  sm: number;
}

/** Roottask's objects of a personality. */
export function personalitySelectors(name: PersonalityName): PersonalitySelectors {
  const base = 0x8010 + 16 * PERSONALITIES.indexOf(name);
  return {
    pd: base,
    ec: base + 1,
    sc: base + 2,
    spawn: base + 3,
    processService: base + 4,
    consoleService: base + 5,
    sm: base + 6,
  };
}

/** Processes below this number have the thesis's selectors; the others follow in blocks. */
export const THESIS_SLOTS = 64;
const BLOCKS = 0x1_0000;
/** PD, EC, SC, then service portals, then exception portals. */
const BLOCK_SIZE = 64;
export const SERVICES = 7;
export const EXCEPTIONS = 32;

export interface ProcessSelectors {
  pd: number;
  ec: number;
  sc: number;
  /** First of EXCEPTIONS portals. */
  exceptions: number;
  /** First of SERVICES portals, in the order of SERVICE. */
  services: number;
  /** Its portal to the broker. */
  broker: number;
}

/** `slot` is small and unique among living processes. */
export function processSelectors(slot: number): ProcessSelectors {
  const block = BLOCKS + BLOCK_SIZE * slot;
  const broker = block + 15;
  if (slot >= THESIS_SLOTS) {
    return { pd: block, ec: block + 1, sc: block + 2, services: block + 8, broker, exceptions: block + 32 };
  }
  return { pd: 100 + slot, ec: 164 + slot, sc: 228 + slot, services: 2436 + 7 * slot, broker, exceptions: 292 + 33 * slot };
}

/** Service portals of a process: index of the portal and of its handler. */
export const SERVICE_NAMES = ["stdout", "stderr", "allocate", "fs", "echo", "raw echo", "exit"] as const;
export const SERVICE = { STDOUT: 0, STDERR: 1, ALLOCATE: 2, FS: 3, ECHO: 4, RAW_ECHO: 5, EXIT: 6 } as const;

/** Portal id of the broker, beside the SERVICE numbers. Portals that services have offered stand from here on. */
export const BROKER_ID = 7, OFFERED = 0xa000;

/** Interrupt numbers that roottask's machine uses: the first serial port's as on a PC; 9 is free there (ACPI). */
export const GSI = { CONSOLE: 4, IDLE: 9 } as const;
/** Kernel PD selectors of GSI semaphores begin here (ABI 2.1: NUM_CPU). */
export const KERNEL_GSI = 64;

/** Priorities: services answer before programs run. */
export const PRIORITY = { SERVICE: 3, PROGRAM: 1 } as const;
export const QUANTUM_US = 10_000;

/** Right of a portal capability that lets its holder call it (ABI 5.1, bit 1). */
export const RIGHT_CALL = 2;
export const RIGHT_CREATE = 1;
export const ALL_RIGHTS = 31;

export const object = (base: number, rights: number, order = 0) => ({ kind: CrdKind.Object, base, order, rights });
