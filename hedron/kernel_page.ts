import { PAGE, USER_ADDR } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W } from "../cpu/space.ts";
import { Status } from "./api.ts";
import { install, parentPd, slotUsed } from "./create.ts";
import type { Kernel } from "./kernel.ts";
import { TAG_NOT_DELEGATABLE } from "./memory_space.ts";
import { Kp, KP_RIGHTS, type Pd } from "./objects.ts";

/**
 * create_kp (16, API 13.2). In: `selector` new, `parent` PD (only checked). Out: a page of kernel memory that can be mapped once.
 * Status, in order: BAD_CAP (PD), BAD_CAP (slot), OOM.
 */
export function createKp(k: Kernel, caller: Pd, selector: number, parent: number): Status {
  if (!parentPd(caller, parent) || slotUsed(caller, selector)) return Status.BadCap;
  const page = k.memory.page();
  if (page === 0) return Status.Oom;
  install(caller, selector, new Kp(k.life.newId(), page), KP_RIGHTS);
  return Status.Success;
}

/** kp_ctrl map (17). Status: BAD_PAR when it is mapped already or the address is not a user page; the first page beyond them is allowed. */
export function mapKp(kp: Kp, pd: Pd, va: number): Status {
  if (kp.pd !== undefined || va % PAGE !== 0 || va > USER_ADDR) return Status.BadPar;
  kp.pd = pd;
  kp.va = va;
  pd.memoryVersion++;
  pd.space.map(va, kp.page, PAGE, RIGHT_R | RIGHT_W, TAG_NOT_DELEGATABLE);
  return Status.Success;
}

/** kp_ctrl unmap (17), even when another mapping has replaced it. Status: BAD_PAR when it is not mapped. */
export function unmapKp(kp: Kp): Status {
  const { pd, va } = kp;
  if (pd === undefined) return Status.BadPar;
  kp.pd = undefined;
  if (!pd.destroyed) {
    pd.memoryVersion++;
    pd.space.unmap(va, PAGE);
  }
  return Status.Success;
}

/** Its last capability has gone. */
export function freeKp(k: Kernel, kp: Kp): void {
  unmapKp(kp);
  k.memory.freePage(kp.page);
}
