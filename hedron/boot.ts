import { GPR, PAGE, RIP, USER_ADDR, USER_RAM } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import type { HostProgram } from "./api.ts";
import { PORTS } from "./capability_space.ts";
import { ALL_RIGHTS } from "./crd.ts";
import { install } from "./create.ts";
import { loadElf } from "./elf.ts";
import { initialState, setNumber, sysret } from "./frame.ts";
import { type BootModule, writeHip } from "./hip.ts";
import type { Kernel } from "./kernel.ts";
import { CapNode } from "./mdb.ts";
import { TAG_NOT_DELEGATABLE } from "./memory_space.ts";
import { Cont, Ec, EC_RIGHTS, Pd, PD_CREATE, Sc, SC_RIGHTS, Sm, SM_RIGHTS } from "./objects.ts";

/** Capabilities of the root PD (ABI 2.2). */
export const ROOT_PD = 32, ROOT_EC = 33, ROOT_SC = 34;
/** Name of the PD and first EC of a machine-code roottask in messages. */
export const ROOT_LABEL = "roottask";
const ROOT_PRIORITY = 1, ROOT_QUANTUM_NS = 10_000_000;
/** Address space of the root PD at entry (ABI 2.3). */
export const ROOT_HIP = USER_ADDR - PAGE, ROOT_UTCB = USER_ADDR - 2 * PAGE;

/** The kernel's own PD (ABI 2.1): all memory that guests may have, all ports, idle SC at selector 0, GSI semaphores from NUM_CPU on. */
export function createKern(k: Kernel): Pd {
  const kern = k.life.newPd();
  kern.label = "kern";
  const ram = k.cpu.ram.size - USER_RAM;
  if (ram > 0) kern.space.map(USER_RAM, USER_RAM, ram - ram % PAGE, RIGHT_R | RIGHT_W | RIGHT_X);
  kern.ports.insert(new CapNode(kern.ports, 0, Math.log2(PORTS), ALL_RIGHTS, undefined));
  const idle = new Sc(k.life.newId(), new Ec(k.life.newId(), kern, true), 0, Infinity);
  idle.label = "idle";
  install(kern, 0, idle, SC_RIGHTS);
  for (let gsi = 0; gsi < k.version.numGsi; gsi++) {
    const sm = new Sm(k.life.newId(), 0, gsi);
    sm.label = `GSI ${gsi}`;
    install(kern, k.version.numCpu + gsi, sm, SM_RIGHTS);
    k.gsis.push(sm);
  }
  return kern;
}

function createRoot(k: Kernel, program: HostProgram | undefined): { pd: Pd; ec: Ec } {
  const pd = k.life.newPd();
  pd.privileged = pd.passthrough = true;
  if (program) k.life.bindProgram(pd, program);
  else pd.label = ROOT_LABEL;
  const ec = k.life.newEc(pd, true, program !== undefined);
  if (!ec) throw new Error("Cannot boot: no kernel memory for the root EC");
  if (!program) ec.label = ROOT_LABEL;
  const sc = new Sc(k.life.newId(), ec, ROOT_PRIORITY, k.version.quantum ? ROOT_QUANTUM_NS : Infinity);
  ec.scs.push(sc);
  install(pd, ROOT_PD, pd, PD_CREATE);
  install(pd, ROOT_EC, ec, EC_RIGHTS);
  install(pd, ROOT_SC, sc, SC_RIGHTS);
  k.enqueue(sc);
  return { pd, ec };
}

/** Boots a TypeScript roottask. */
export function bootHost(k: Kernel, program: HostProgram): void {
  const { ec } = createRoot(k, program);
  ec.program = program;
  ec.cont = Cont.HostMain;
}

export interface GuestBoot {
  /** In load order; the first one is the roottask's ELF file. Page-aligned physical addresses in guest RAM. */
  modules: readonly BootModule[];
  /** Time-stamp counter frequency, kHz. */
  tscKhz: number;
  /** First port of the serial line. */
  serialPort: number;
}

/** The first MiB of a PC: RAM, in which firmware has left the BIOS data area with the port of the first serial line; VGA memory; ROM. */
const LOW_MEMORY = 0x10_0000, BDA_COM1 = 0x400;

/** The machine itself lies there in physical memory, so the kernel PD shows kernel memory at these addresses instead. */
function mapLowMemory(k: Kernel, serialPort: number): void {
  const at = k.memory.range(LOW_MEMORY);
  if (at === 0) throw new Error("Cannot boot: no kernel memory for the first MiB");
  k.cpu.ram.view.setUint16(at + BDA_COM1, serialPort, true);
  k.kern.space.map(0, at, LOW_MEMORY, RIGHT_R | RIGHT_W | RIGHT_X);
}

/** Boots a machine-code roottask: HIP, root objects, ELF segments in place, registers (ABI 2.2 to 2.4). */
export function bootGuest(k: Kernel, boot: GuestBoot): void {
  const hip = k.memory.page();
  if (hip === 0) throw new Error("Cannot boot: no kernel memory for the HIP");
  writeHip(k.cpu.ram.view, hip, k.version, {
    ...boot,
    reserved: [{ address: 0, size: LOW_MEMORY }],
    memory: [{ address: USER_RAM, size: k.cpu.ram.size - USER_RAM }],
    kernel: { address: LOW_MEMORY, size: USER_RAM - LOW_MEMORY },
  });
  k.kern.space.map(hip, hip, PAGE, RIGHT_R);
  mapLowMemory(k, boot.serialPort);
  const { pd, ec } = createRoot(k, undefined);
  pd.space.map(ROOT_HIP, hip, PAGE, RIGHT_R);
  pd.space.map(ROOT_UTCB, ec.utcb, PAGE, RIGHT_R | RIGHT_W, TAG_NOT_DELEGATABLE);
  ec.utcbVa = ROOT_UTCB;
  ec.utcbPd = pd;
  initialState(k.cpu, ec.state, ec.frame, ROOT_HIP);
  ec.cont = Cont.User;
  const entry = loadElf(k.cpu.ram, boot.modules[0], pd.space);
  if (typeof entry === "string") return k.life.kill(ec, entry);
  const at = k.cpu.locate(ec.state), u32 = k.cpu.ram.u32;
  setNumber(u32, at + RIP, entry);
  setNumber(u32, at + GPR + 8, entry);
  sysret(k.cpu, at);
  ec.viaSysret = true;
}
