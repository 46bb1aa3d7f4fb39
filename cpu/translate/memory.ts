/** Guest memory accesses in regions: extent checks with baked bounds, or the software TLB. */
import type { FuncBuilder } from "../wasm/encoder.ts";
import { PAGE } from "../layout.ts";
import { quickHit, type QuickShape, quickSum } from "../quick_tlb.ts";
import { add, eq, type Expr, gt_u, i32, i64, load, local, type LocalExpr, ne, shl, sub, w } from "../wasm/expr.ts";
import { type Group, type Planned, RSP } from "./access_plan.ts";
import type { Step } from "./cfg.ts";
import type { Locals } from "./locals.ts";

/** Where an access goes: linear address = index + offset. */
export interface Place {
  index: Expr;
  offset: number;
}

/** A run of pages that translated code relies on (see extents.ts). */
export interface Baked {
  readonly start: number;
  readonly end: number;
  readonly pa: number;
  /** Physical minus virtual address. */
  readonly delta: number;
  readonly writable: boolean;
  /** Linear address of {u64 start, u32 length}; 0 when the bounds are constant. Of a shared one the offset in the space's table. */
  readonly cell: number;
  /** Every space has it elsewhere (shared_extents.ts); `start` and `delta` are those of one of them. */
  readonly shared: boolean;
}

export interface MemoryEnvironment {
  readonly quick: QuickShape;
  /** The extent around `va`; undefined when nothing is mapped there. */
  bake(va: number, write: boolean): Baked | undefined;
  /** The extent in which all accesses of slot `n` of the instruction have been so far; undefined when there are several, or none. */
  bakeProfile(record: number, slot: number, write: boolean): Baked | undefined;
  /** Has this access ever been carried out by the interpreter? */
  accessed(record: number, slot: number): boolean;
  /** Has this instruction missed its extent too often? (Or others of the region, unless it is a stack access.) */
  roams(pc: number, stack: boolean): boolean;
  /** Remembers which extent the instruction relies on (to judge misses). */
  relies(pc: number, extent: Baked): void;
}

/** Accesses of a group that lie so close together are likely to be in one page. */
const TLB_SPAN = 256;

export class Memory {
  constructor(
    private readonly f: FuncBuilder,
    private readonly locals: Locals,
    private readonly env: MemoryEnvironment,
    private readonly leave: (cond?: Expr) => void,
    /** The running space's table of shared extents. */
    private readonly table: Expr,
  ) {}

  /** An access of a group: the group's first access checks its hull. */
  planned(p: Planned, bytes: number, write: boolean, step: Step, slot: number): Place {
    const { group } = p;
    if (group.local === undefined && !this.check(group, p.moved, step, slot) && !this.#tlbGroup(group, p.moved)) {
      return this.#tlb(this.#bind(this.#groupAddress(p)), bytes, write);
    }
    if (write && !group.writable) this.leave();
    return { index: { kind: "local", type: "i32", index: group.local! }, offset: group.pa + (p.disp - group.min) };
  }

  /**
   * Emits the check of a group's hull; false when no extent is known for it. `moved`: base register minus the group's origin now; `pc`: where
   * the region leaves when the check fails.
   */
  check(group: Group, moved: number, step: Step, slot: number, pc = step.insn.pc): boolean {
    const span = group.max - group.min;
    const roams = this.env.roams(pc, group.base === RSP);
    const extent = roams ? undefined : this.env.bakeProfile(step.record, slot, group.write);
    if (!extent || extent.end - extent.start < span) return false;
    const place = this.#checked(add(this.#base(group), i64(group.min - moved)), extent, span, pc);
    // Not a temporary of the step: it lives as long as the node.
    group.local = this.f.newLocal("i32");
    this.f.assign(group.local, place.index);
    group.pa = place.offset;
    group.writable = extent.writable;
    return true;
  }

  /**
   * One TLB look-up for all accesses of the group, which will all be carried out, and for later ones that it is known to be good for; false when
   * there is but one or they lie far apart.
   */
  #tlbGroup(group: Group, moved: number): boolean {
    const span = group.max - group.min, several = group.accesses > 1;
    if (several ? span > TLB_SPAN : !group.continued && !covering(group)) return false;
    const place = this.#tlb(
      add(this.#base(group), i64(group.min - moved)),
      span,
      group.write,
      several ? "region_read_at" : "region_load_at",
      group,
    );
    group.local = this.f.newLocal("i32");
    this.f.assign(group.local, place.index);
    group.pa = 0;
    group.writable = group.write;
    return true;
  }
  /** Frees what was kept for accesses of the group and later ones. */
  forget(group: Group): void {
    if (group.local !== undefined) this.f.freeLocal("i32", group.local);
    if (group.known !== undefined) this.f.freeLocal("i32", group.known);
    group.local = group.known = undefined;
  }

  /** Leaves unless [va, va+span) lies in the extent. */
  #checked(va: Expr, extent: Baked, span: number, pc: number): Place {
    this.env.relies(pc, extent);
    if (!extent.shared && extent.cell === 0) {
      const t = this.#bind(add(va, i64(-extent.start)));
      this.leave(gt_u(t, i64(extent.end - extent.start - span)));
      return { index: w("i32.wrap_i64", t), offset: extent.pa };
    }
    const v = va.kind === "const" ? va : this.#bind(va), table = extent.shared ? this.table : i32(0), { cell } = extent;
    this.leave(gt_u(sub(v, load("i64.load", table, cell)), sub(load("i64.load32_u", table, cell + 8), i64(span))));
    const low = w("i32.wrap_i64", v);
    if (!extent.shared) return { index: add(low, i32(extent.delta % 0x1_0000_0000)), offset: 0 };
    return { index: this.#bind(add(low, load("i32.load", table, cell + 12))), offset: 0 };
  }

  /** An absolute address: no check while the mapping lasts. */
  fixed(va: number, bytes: number, write: boolean, step: Step, _slot: number, aligned: boolean): Place {
    const extent = va < 2 ** 47 ? this.env.bake(va, write) : undefined;
    const misaligned = aligned && va % bytes !== 0;
    if (extent?.shared && va + bytes <= extent.end && !misaligned && !this.env.roams(step.insn.pc, false)) {
      return this.#checked(i64(va), extent, bytes, step.insn.pc);
    }
    if (!extent || extent.shared || extent.cell !== 0 || va + bytes > extent.end || (write && !extent.writable) || misaligned) {
      if (misaligned) this.leave();
      return this.#tlb(i64(va), bytes, write);
    }
    this.env.relies(step.insn.pc, extent);
    return { index: i32(0), offset: extent.pa + (va - extent.start) };
  }

  /** Any address: one check of its own. */
  dynamic(va: Expr, bytes: number, write: boolean, step: Step, slot: number): Place {
    const pc = step.insn.pc;
    const extent = this.env.roams(pc, false) ? undefined : this.env.bakeProfile(step.record, slot, write);
    if (!extent || (write && !extent.writable)) return this.#tlb(va, bytes, write);
    return this.#checked(va, extent, bytes, pc);
  }

  /** Through the software TLB: its first level inline; the slow path fills it, or says that the interpreter must do it. */
  #tlb(address: Expr, bytes: number, write: boolean, read = "region_load_at", group?: Group): Place {
    const va = this.#bind(address), at = this.locals.temp("i32"), { f, env } = this;
    const earlier = group && covering(group), sum = earlier ? undefined : this.#bind(quickSum(va, write, env.quick));
    if (group?.continued && !earlier) group.known = f.newLocal("i32");
    f.expr(sum ? quickHit(sum, env.quick) : ne(local("i32", earlier!.known!), i32(-1)));
    // Leaving settles what is kept apart of registers: not on one path only.
    this.locals.flushLows();
    f.hint(true);
    f.if();
    f.assign(at.index, sum ? w("i32.wrap_i64", sum) : add(local("i32", earlier!.known!), i32(group!.min - earlier!.min)));
    if (group?.known !== undefined) f.assign(group.known, at);
    f.else();
    f.expr(va);
    f.i32(bytes);
    f.call(write ? "region_write_at" : read);
    f.set(at.index);
    this.leave(eq(at, i32(-1)));
    if (group?.known !== undefined) f.assign(group.known, i32(-1));
    f.end();
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

/** The group before whose look-up shows that accesses of this one are allowed: a page with an entry is continued by the next one. */
function covering(g: Group): Group | undefined {
  for (let b = g.before; b; b = b.before) {
    if (b.known !== undefined && g.min >= b.min && g.max <= b.min + PAGE && (b.write || !g.write)) return b;
  }
  return undefined;
}
