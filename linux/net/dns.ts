/** Messages of the Domain Name System, as far as a resolver that knows addresses needs them (RFC 1035, 4; RFC 3596). */
import { AF_INET } from "../abi/socket.ts";
import type { InternetAddress } from "./address.ts";

export const TYPE = { A: 1, PTR: 12, AAAA: 28 } as const;
const CLASS_IN = 1;
export const RCODE = { NO_ERROR: 0, FORMAT: 1, SERVER_FAILURE: 2, NO_SUCH_NAME: 3, NOT_IMPLEMENTED: 4 } as const;

const HEADER_BYTES = 12;
const MAX_LABEL = 63, MAX_NAME = 255;
/** Bits of the second header word: response, recursion desired, recursion available. */
const QR = 0x8000, RD = 0x0100, RA = 0x0080, OPCODE = 0x7800;
/** Bytes that every client takes by UDP (RFC 1035, 4.2.1). */
const MAX_REPLY = 512;
/** The host does not tell how long an answer is good for. */
const TTL_SECONDS = 30;

export interface Question {
  /** Lower case, without the dot at the end. */
  name: string;
  type: number;
  /** Bytes of header and question. */
  length: number;
}

/** The question of a query; undefined for what is not one query with one question of class IN. */
export function parseQuery(message: Uint8Array<ArrayBuffer>): Question | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const data = new DataView(message.buffer, message.byteOffset, message.length), flags = data.getUint16(2);
  if ((flags & (QR | OPCODE)) !== 0 || data.getUint16(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at++];
    if (length === undefined || length > MAX_LABEL || at + length > message.length) return undefined;
    if (length === 0) break;
    labels.push(String.fromCharCode(...message.subarray(at, at + length)));
    at += length;
  }
  if (at + 4 > message.length || at - HEADER_BYTES > MAX_NAME || data.getUint16(at + 2) !== CLASS_IN) return undefined;
  return { name: labels.join(".").toLowerCase(), type: data.getUint16(at), length: at + 4 };
}

/** The answer to `query`: those of `addresses` that are of the type it asks for, as many as fit. */
export function encodeReply(
  query: Uint8Array<ArrayBuffer>,
  { type, length }: Question,
  code: number,
  addresses: readonly InternetAddress[],
): Uint8Array<ArrayBuffer> {
  const wanted = addresses.filter(({ family }) => type === (family === AF_INET ? TYPE.A : TYPE.AAAA));
  const bytes = new Uint8Array(MAX_REPLY + MAX_NAME), data = new DataView(bytes.buffer);
  bytes.set(query.subarray(0, length));
  data.setUint16(2, QR | data.getUint16(2) & RD | RA | code);
  let at = length, count = 0;
  for (const { host } of wanted) {
    if (at + 12 + host.length > MAX_REPLY) break;
    // The name: a pointer to the question's.
    data.setUint16(at, 0xc000 | HEADER_BYTES);
    data.setUint16(at + 2, type);
    data.setUint16(at + 4, CLASS_IN);
    data.setUint32(at + 6, TTL_SECONDS);
    data.setUint16(at + 10, host.length);
    bytes.set(host, at + 12);
    at += 12 + host.length;
    count++;
  }
  data.setUint16(6, count);
  data.setUint32(8, 0);
  return bytes.slice(0, at);
}
