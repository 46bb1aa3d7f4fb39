import assert from "node:assert/strict";
import { AF_INET, AF_INET6 } from "../abi/socket.ts";
import { encodeReply, parseQuery, RCODE, TYPE } from "./dns.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(text.match(/../g)?.map((hex) => parseInt(hex, 16)) ?? []);
const hex = (data: Uint8Array): string => [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** What glibc 2.36 sends for getaddrinfo("Example.com"), IPv4. */
const QUERY = "1ed80100000100000000000007457861" + "6d706c6503636f6d0000010001";

Deno.test("a query's name and type are read, whatever its case", () => {
  assert.deepEqual(parseQuery(bytes(QUERY)), { name: "example.com", type: TYPE.A, length: 29 });
});

Deno.test("no prefix of a query and no response is taken for a query", () => {
  for (let length = 0; length < 29; length++) assert.equal(parseQuery(bytes(QUERY).slice(0, length)), undefined);
  assert.equal(parseQuery(bytes(QUERY.replace("1ed80100", "1ed88180"))), undefined);
  // A pointer in a question would lead anywhere.
  assert.equal(parseQuery(bytes("1ed801000001000000000000c00c00010001")), undefined);
});

Deno.test("a reply holds the question and the addresses of the family that was asked for", () => {
  const query = bytes(QUERY), question = parseQuery(query) ?? assert.fail();
  const reply = encodeReply(query, question, RCODE.NO_ERROR, [
    { family: AF_INET6, host: new Array<number>(16).fill(1), port: 0 },
    { family: AF_INET, host: [192, 0, 2, 7], port: 0 },
  ]);
  assert.equal(hex(reply), "1ed881800001000100000000" + QUERY.slice(24) + "c00c000100010000001e0004c0000207");
  assert.equal(hex(encodeReply(query, question, RCODE.NO_SUCH_NAME, [])), "1ed881830001000000000000" + QUERY.slice(24));
});

Deno.test("a reply never exceeds what every client takes", () => {
  const query = bytes(QUERY), question = parseQuery(query) ?? assert.fail();
  const many = Array.from({ length: 100 }, (_, i) => ({ family: AF_INET, host: [192, 0, 2, i], port: 0 }) as const);
  const reply = encodeReply(query, question, RCODE.NO_ERROR, many);
  assert.ok(reply.length <= 512 && new DataView(reply.buffer).getUint16(6) === Math.floor((512 - 29) / 16));
});
