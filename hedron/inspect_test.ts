import assert from "node:assert/strict";
import { type Crd, CrdKind } from "./api.ts";
import { NULL_CRD } from "./crd.ts";
import { inspect } from "./inspect.ts";
import { testKernel } from "./testing/mod.ts";

const object = (base: number, rights = 31): Crd => ({ kind: CrdKind.Object, base, order: 0, rights });

Deno.test("the view shows objects with their labels and who delegated what to whom, as plain JSON", () => {
  const t = testKernel((ec) => {
    ec.createPd(100, 32, NULL_CRD, { portalBase: 50 });
    ec.label(100, "child");
    ec.createSm(101, 32, 3);
    ec.createEc(102, 32, { global: false, utcb: 0 });
    ec.createPt(103, 32, 102, 0x7, () => {});
    ec.ptCtrl(103, 9);
    ec.delegate(32, object(101, 1), 100, object(5));
    ec.delegate(32, object(64 + 4), 32, object(104), { hypervisor: true });
  });
  t.run();
  const view = inspect(t.kernel);
  assert.deepEqual(JSON.parse(JSON.stringify(view)), view);
  const pd = (label: string) => {
    const found = view.pds.find((each) => each.label === label);
    assert.ok(found);
    return found;
  };
  const root = pd("roottask"), child = pd("child"), kern = pd("kern");
  assert.deepEqual([root.code, child.code, kern.code, child.foreign], ["host", "guest", "kernel", true]);
  assert.deepEqual(root.ecs.map((ec) => [ec.type, ec.state]), [["global", "dead"], ["local", "idle"]]);
  assert.deepEqual(root.ecs[1].pts.map((pt) => [pt.portalId, pt.mtd]), [[9, 7]]);
  assert.deepEqual(root.sms.map((sm) => sm.count), [3]);
  const given = view.capabilities.find((each) => each.pd === child.id);
  assert.deepEqual([given?.kind, given?.rights, given?.from], ["SM", 1, { pd: root.id, selector: 101 }]);
  const gsi = view.capabilities.find((each) => each.pd === root.id && each.selector === 104);
  assert.deepEqual(gsi?.from, { pd: kern.id, selector: 68 });
});
