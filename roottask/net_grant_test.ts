import assert from "node:assert/strict";
import { endpointText, ipText, isOwn, parseIp } from "./ip.ts";
import { NetGrant, parseNetTarget } from "./net_grant.ts";

const ip = (text: string) => parseIp(text) ?? assert.fail(text);
const grant = (text: string) => new NetGrant(parseNetTarget(text) ?? assert.fail(text));
/** "HOST PORT" of everything in `targets` that the grant reaches. */
const reached = (text: string, targets: readonly string[]): string[] =>
  targets.filter((target) => grant(text).reaches(ip(target.split(" ")[0]), Number(target.split(" ")[1])));

for (
  const text of ["0.0.0.0", "192.0.2.255", "::", "::1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "fe80::", "1:0:2::3:0:4"]
) {
  Deno.test(`the address ${text} survives parsing and printing`, () => assert.equal(ipText(ip(text)), text));
}

Deno.test("addresses in other spellings are one address, and what is none is refused", () => {
  assert.deepEqual(ip("::ffff:192.0.2.1").slice(12), [192, 0, 2, 1]);
  assert.deepEqual(ip("2001:DB8:0:0:0:0:0:1"), ip("2001:db8::1"));
  assert.equal(endpointText(ip("::1"), 80), "[::1]:80");
  const bad = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "0x7f.0.0.1",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "g::",
    "::1%eth0",
  ];
  assert.deepEqual(bad.filter((text) => parseIp(text) !== undefined), []);
});

Deno.test("what leads to the host itself is recognised in every form", () => {
  const own = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::127.0.0.1"];
  assert.deepEqual(own.filter((text) => !isOwn(ip(text))), []);
  assert.deepEqual(["128.0.0.1", "::2:0:0", "::ffff:8.8.8.8", "fe80::1"].filter((text) => isOwn(ip(text))), []);
});

const PLACES = [
  "192.0.2.1 80",
  "192.0.2.1 443",
  "192.0.2.2 80",
  "2001:db8::1 80",
  "127.0.0.1 80",
  "0.0.0.0 80",
  "::ffff:192.0.2.1 80",
  "::ffff:127.0.0.1 80",
  "::1 80",
  ":: 80",
];
const REACHED: Record<string, readonly string[]> = {
  "all": ["192.0.2.1 80", "192.0.2.1 443", "192.0.2.2 80", "2001:db8::1 80", "::ffff:192.0.2.1 80"],
  ":80": ["192.0.2.1 80", "192.0.2.2 80", "2001:db8::1 80", "::ffff:192.0.2.1 80"],
  "80": ["192.0.2.1 80", "192.0.2.2 80", "2001:db8::1 80", "::ffff:192.0.2.1 80"],
  "192.0.2.1": ["192.0.2.1 80", "192.0.2.1 443", "::ffff:192.0.2.1 80"],
  "192.0.2.1:80": ["192.0.2.1 80", "::ffff:192.0.2.1 80"],
  "[2001:db8::1]:80": ["2001:db8::1 80"],
  "2001:db8::1": ["2001:db8::1 80"],
  "127.0.0.1:80": ["127.0.0.1 80", "::ffff:127.0.0.1 80"],
  "localhost": ["127.0.0.1 80", "::ffff:127.0.0.1 80", "::1 80"],
  "0.0.0.0": [],
  "example.com": [],
};
for (const [text, places] of Object.entries(REACHED)) {
  Deno.test(`--allow-net=${text} reaches ${places.join(", ") || "none of the places"}`, () =>
    assert.deepEqual(reached(text, PLACES), places));
}

Deno.test("a name reaches what it was found to be, but never the host, its links or groups", () => {
  const named = grant("Example.com:80");
  assert.ok(named.names("example.COM.") && !named.names("www.example.com") && !named.names("example.com.evil.test"));
  const found = [
    "192.0.2.1",
    "127.0.0.1",
    "::1",
    "0.0.0.0",
    "169.254.169.254",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "::ffff:127.0.0.1",
  ];
  assert.deepEqual(named.learn(found.map(ip)).map(ipText), ["192.0.2.1"]);
  assert.deepEqual(PLACES.filter((place) => named.reaches(ip(place.split(" ")[0]), Number(place.split(" ")[1]))), [
    "192.0.2.1 80",
    "::ffff:192.0.2.1 80",
  ]);
  assert.ok(!grant("192.0.2.1").names("example.com") && grant("all").names("example.com"));
});

Deno.test("a guest is heard where the grant says, and on the host's loopback only if that is named", () => {
  const heard = (text: string, at: string, port = 80) => {
    const where = grant(text).hears(ip(at), port);
    return where && ipText(where);
  };
  assert.equal(heard("all", "0.0.0.0"), "0.0.0.0");
  assert.equal(heard("all", "127.0.0.1"), undefined);
  assert.equal(heard("127.0.0.1:80", "0.0.0.0"), "127.0.0.1");
  assert.equal(heard("127.0.0.1:80", "127.0.0.1"), "127.0.0.1");
  assert.equal(heard("127.0.0.1:80", "0.0.0.0", 81), undefined);
  assert.equal(heard("localhost", "0.0.0.0"), "127.0.0.1");
  assert.equal(heard("0.0.0.0:80", "0.0.0.0"), "0.0.0.0");
  assert.equal(heard("0.0.0.0:80", "127.0.0.1"), undefined);
  assert.equal(heard("::1", "0.0.0.0"), undefined);
  assert.equal(heard("::1", "::"), "::1");
  assert.equal(heard("127.0.0.1", "::"), "127.0.0.1");
  assert.equal(heard("example.com", "0.0.0.0"), undefined);
});

Deno.test("what is no host and no port is refused", () => {
  const bad = [
    "",
    ":",
    ":0",
    "0",
    "65536",
    "host:",
    "host:99999",
    "[::1",
    "[1.2.3.4]:80",
    "::1:80:",
    "http://x",
    "a b",
    "a/b",
    "1.2.3",
    "1.2.3.4.5",
    "*",
  ];
  assert.deepEqual(bad.filter((text) => parseNetTarget(text) !== undefined), []);
});
