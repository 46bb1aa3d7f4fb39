/** Guest memory accesses in regions: extent checks with baked bounds, or the software TLB. */
import type { FuncBuilder } from "../wasm/encoder.ts";
import { add, eq, type Expr, gt_u, i32, i64, type LocalExpr, shl, w } from "../wasm/expr.ts";
import type { Group, Planned } from "./access_plan.ts";
import type { Step } from "./cfg.ts";
import type { Locals } from "./locals.ts";

/** Where an access goes: linear address = index + offset. */
export interface Place {
  index: Expr;
  offset: number;
}

/** A run of pages that translated code may rely on. */
export interface Baked {
  start: number;
  end: number;
  pa: number;
  writable: boolean;
}

export interface MemoryEnvironment {
  /** The extent around `va`, without pages that hold translated code when it is writable; undefined when nothing is mapped there. */
  bake(va: number): Baked | undefined;
  /** Profile: the address that slot `n` of the instruction accessed last, 0 = unknown. */
  lastAddress(record: number, slot: number): number;
  /** Has this instruction missed its baked extent too often? */
  roams(pc: number): boolean;
  /** Remembers which extent the instruction relies on (to judge misses). */
  relies(pc: number, extent: Baked): void;
}

export class Memory {
  constructor(
    private readonly f: FuncBuilder,
    private readonly locals: Locals,
    private readonly env: MemoryEnvironment,
    private readonly leave: (cond?: Expr) => void,
  ) {}

  /** An access of a group: the group's first access checks its hull. */
  planned(p: Planned, bytes: number, write: boolean, step: Step, slot: number): Place {
    const { group } = p;
    if (group.local === undefined && !this.check(group, p.moved, step, slot)) {
      return this.#tlb(this.#bind(this.#groupAddress(p)), bytes, write);
    }
    if (write && !group.writable) this.leave();
    return { index: { kind: "local", type: "i32", index: group.local! }, offset: group.pa + (p.disp - group.min) };
  }

  /** Emits the check of a group's hull; false when no extent is known for it. `moved`: base register minus the group's origin now. */
  check(group: Group, moved: number, step: Step, slot: number): boolean {
    const span = group.max - group.min, pc = step.insn.pc;
    const va = this.env.lastAddress(step.record, slot);
    const extent = va === 0 || this.env.roams(pc) ? undefined : this.env.bake(va);
    if (!extent || extent.end - extent.start < span) return false;
    this.env.relies(pc, extent);
    const t = this.locals.temp("i64");
    this.f.assign(t.index, add(this.#base(group), i64(group.min - moved - extent.start)));
    this.leave(gt_u(t, i64(extent.end - extent.start - span)));
    // Not a temporary of the step: it lives as long as the node.
    group.local = this.f.newLocal("i32");
    this.f.assign(group.local, w("i32.wrap_i64", t));
    group.pa = extent.pa;
    group.writable = extent.writable;
    return true;
  }

  /** An absolute address: no check while the mapping lasts. */
  fixed(va: number, bytes: number, write: boolean, step: Step, _slot: number, aligned: boolean): Place {
    const extent = va < 2 ** 47 ? this.env.bake(va) : undefined;
    if (!extent || va + bytes > extent.end || (write && !extent.writable) || (aligned && va % bytes !== 0)) {
      if (aligned && va % bytes !== 0) this.leave();
      return this.#tlb(i64(va), bytes, write);
    }
    this.env.relies(step.insn.pc, extent);
    return { index: i32(0), offset: extent.pa + (va - extent.start) };
  }

  /** Any address: one check of its own. */
  dynamic(va: Expr, bytes: number, write: boolean, step: Step, slot: number): Place {
    const last = this.env.lastAddress(step.record, slot), pc = step.insn.pc;
    const extent = last === 0 || this.env.roams(pc) ? undefined : this.env.bake(last);
    if (!extent || (write && !extent.writable)) return this.#tlb(va, bytes, write);
    this.env.relies(pc, extent);
    const t = this.#bind(add(va, i64(-extent.start)));
    this.leave(gt_u(t, i64(extent.end - extent.start - bytes)));
    return { index: w("i32.wrap_i64", t), offset: extent.pa };
  }

  #tlb(va: Expr, bytes: number, write: boolean): Place {
    const at = this.locals.temp("i32");
    this.f.expr(va);
    this.f.i32(bytes);
    this.f.call(write ? "region_write_at" : "read_at");
    this.f.set(at.index);
    this.leave(eq(at, i32(-1)));
    return { index: at, offset: 0 };
  }
  #bind(e: Expr): LocalExpr {
    const t = this.locals.temp(e.type);
    this.f.assign(t.index, e);
    return t;
  }
  #base(g: Group): Expr {
    let e: Expr | undefined = g.base >= 0 ? this.locals.read(g.base) : undefined;
    if (g.index >= 0) {
      const index = g.scale ? shl(this.locals.read(g.index), i64(g.scale)) : this.locals.read(g.index);
      e = e ? add(e, index) : index;
    }
    return e ?? i64(0);
  }
  #groupAddress(p: Planned): Expr {
    return add(this.#base(p.group), i64(p.disp - p.moved));
  }
}
