/** The kernel's inner paths between host PDs, without a processor: `deno bench -A bench/kernel_bench.ts`. */
import { CrdKind, type HostEc } from "../hedron/api.ts";
import { testKernel } from "../hedron/testing/mod.ts";

const SELF = 32, EC = 100, PT = 101, SM = 102, COUNT = 10_000;

/** Runs `body` COUNT times in a host PD that has an EC, a portal to it that echoes, and a semaphore. */
function inHostPd(body: (ec: HostEc) => void): void {
  testKernel((ec) => {
    ec.createEc(EC, SELF, { global: false, utcb: 0 });
    ec.createPt(PT, SELF, EC, 0, (_id, handler) => {
      handler.utcb.untyped = 1;
    });
    ec.createSm(SM, SELF, 0);
    ec.utcb.untyped = 1;
    for (let i = 0; i < COUNT; i++) body(ec);
  }).run();
}

const object = (base: number) => ({ kind: CrdKind.Object, base, order: 0, rights: 31 });
const HERE = object(PT), THERE = object(PT + 100);

Deno.bench("10000 calls to a portal of the same host PD", () => inHostPd((ec) => void ec.call(PT)));
Deno.bench("10000 pt_ctrl", () => inHostPd((ec) => void ec.ptCtrl(PT, 7)));
Deno.bench("10000 sm_ctrl up", () => inHostPd((ec) => void ec.smUp(SM)));
Deno.bench("10000 delegations and revocations of a portal", () =>
  inHostPd((ec) => {
    ec.delegate(SELF, HERE, SELF, THERE);
    ec.revoke(THERE, true);
  }));
