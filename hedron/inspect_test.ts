import assert from "node:assert/strict";
import { CrdKind } from "./api.ts";
import { NULL_CRD } from "./crd.ts";
import { inspect } from "./inspect.ts";
import { testKernel } from "./testing/mod.ts";

const SELF = 32;
const object = (base: number, rights = 31) => ({ kind: CrdKind.Object, base, order: 0, rights });

Deno.test("inspect() shows a PD with its EC, portal and semaphore, and who delegated what", () => {
  const t = testKernel((ec) => {
    ec.createEc(100, SELF, { global: false, utcb: 0 });
    ec.label(100, "services");
    ec.createPt(101, SELF, 100, 5, () => {});
    ec.ptCtrl(101, 77);
    ec.createSm(102, SELF, 3);
    ec.createPd(200, SELF, NULL_CRD);
    ec.label(200, "child");
    ec.delegate(SELF, object(101, 2), 200, object(36));
  });
  t.run();
  const view = inspect(t.kernel);
  const root = view.pds.find((pd) => pd.label === "roottask");
  const child = view.pds.find((pd) => pd.label === "child");
  assert.ok(root && child);
  assert.equal(root.code, "host");
  const services = root.ecs.find((ec) => ec.label === "services");
  assert.deepEqual(services && { type: services.type, state: services.state }, { type: "local", state: "idle" });
  assert.deepEqual(services?.pts.map((pt) => ({ mtd: pt.mtd, portalId: pt.portalId })), [{ mtd: 5, portalId: 77 }]);
  assert.deepEqual(root.sms.map((sm) => sm.count), [3]);
  const capability = view.capabilities.find((each) => each.pd === child.id && each.selector === 36);
  assert.deepEqual(capability, {
    pd: child.id,
    selector: 36,
    object: services?.pts[0].id,
    kind: "PT",
    rights: 2,
    from: { pd: root.id, selector: 101 },
  });
});

Deno.test("inspect() gives plain data that JSON can hold", () => {
  const t = testKernel((ec) => void ec.createSm(100, SELF, 1));
  t.run();
  const view = inspect(t.kernel);
  assert.deepEqual(JSON.parse(JSON.stringify(view)).pds, view.pds);
});
