import assert from "node:assert/strict";
import { Status } from "./api.ts";
import { eventText } from "./event.ts";

Deno.test("events are one line with names", () => {
  const who = { ec: "main", pd: "hello" };
  const killed = {
    ...who,
    kind: "killed",
    reason: "PT not found",
    rip: 0x40_1000,
    address: 16,
    error: 6,
    portal: 14,
    object: "#PF: no capability there",
  } as const;
  assert.equal(
    eventText(killed),
    "Killed EC main in hello at 0x401000: PT not found, portal 14 (#PF: no capability there), CR2 0x10, error code 0x6",
  );
  const error = { ...who, kind: "hypercall-error", number: 11, status: Status.BadCap } as const;
  assert.equal(eventText(error), "Hypercall error BAD_CAP of EC main in hello: pt_ctrl");
  assert.equal(
    eventText({ ...error, number: 99, status: Status.BadHyp }),
    "Hypercall error BAD_HYP of EC main in hello: invalid hypercall 99",
  );
});
