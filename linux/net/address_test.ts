import assert from "node:assert/strict";
import { E } from "../abi/errno.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../abi/socket.ts";
import { type Address, decodeAddress, encodeAddress, inFamily, isAny, isLoopback, unmapped } from "./address.ts";

const cases: readonly Address[] = [
  { family: AF_UNIX, name: "/tmp/socket" },
  { family: AF_UNIX, name: "\0abstract\0name" },
  { family: AF_UNIX, name: "" },
  { family: AF_INET, host: [127, 0, 0, 1], port: 8080 },
  { family: AF_INET6, host: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], port: 65535 },
];
for (const address of cases) {
  Deno.test(`${JSON.stringify(address)} survives encoding and decoding`, () => {
    assert.deepEqual(decodeAddress(encodeAddress(address)), address);
  });
}

Deno.test("short and unknown addresses are refused", () => {
  assert.equal(decodeAddress(new Uint8Array(1)), -E.EINVAL);
  assert.equal(decodeAddress(new Uint8Array([AF_INET, 0, 0, 80])), -E.EINVAL);
  assert.equal(decodeAddress(new Uint8Array([99, 0, 0, 0])), -E.EAFNOSUPPORT);
  assert.equal(decodeAddress(new Uint8Array([0, 0])), undefined);
});

Deno.test("IPv4 addresses are mapped for IPv6 sockets and recognised again", () => {
  const mapped = inFamily({ family: AF_INET, host: [127, 1, 2, 3], port: 1 }, AF_INET6);
  assert.ok(mapped.family === AF_INET6 && isLoopback(mapped.host));
  assert.deepEqual(unmapped(mapped.host), [127, 1, 2, 3]);
  assert.ok(isAny([0, 0, 0, 0]) && !isAny([127, 0, 0, 1]));
});
