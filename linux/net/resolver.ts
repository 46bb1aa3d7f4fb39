import { E } from "../abi/errno.ts";
import { AF_INET, AF_INET6 } from "../abi/socket.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import { type InternetAddress, LOOPBACK4, LOOPBACK6 } from "./address.ts";
import { encodeReply, parseQuery, type Question, RCODE, TYPE } from "./dns.ts";
import type { Socket } from "./socket.ts";
import { deliver } from "./datagrams.ts";

export const DNS_PORT = 53;
/** Look-ups that wait at the same time; more get no answer, as from a server that is too busy. */
const MAX_PENDING = 256;

/**
 * The machine's name server. It answers on port 53 of every address where nobody else is allowed to: of the loopback (where libraries
 * look when there is no /etc/resolv.conf) and of whatever the guest's /etc/resolv.conf names. A name that is not granted does not exist.
 */
export class Resolver {
  readonly #os: Personality;
  #pending = 0;

  constructor(os: Personality) {
    this.#os = os;
  }

  /** A datagram that `t` has sent to a name server. */
  query(t: Thread, socket: Socket, message: Uint8Array<ArrayBuffer>, server: InternetAddress): void {
    const question = parseQuery(message);
    if (question === undefined) return;
    const reply = (code: number, addresses: readonly InternetAddress[]) =>
      deliver(socket, encodeReply(message, question, code, addresses), server);
    const { name, type } = question;
    if (type !== TYPE.A && type !== TYPE.AAAA) return reply(type === TYPE.PTR ? RCODE.NO_SUCH_NAME : RCODE.NOT_IMPLEMENTED, []);
    if (this.#isOwn(name)) return reply(RCODE.NO_ERROR, OWN);
    if (this.#pending >= MAX_PENDING) return;
    const id = this.#os.uplink.resolve(name);
    if (id > 0) return this.#wait(id, question, reply);
    if (id === -E.EACCES) this.#os.refusals.note(t, { kind: "name", name });
    reply(RCODE.NO_SUCH_NAME, []);
  }

  /** RFC 6761, 6.3; and the machine itself. */
  #isOwn(name: string): boolean {
    return name === "localhost" || name.endsWith(".localhost") || name === this.#os.hostname.toLowerCase();
  }

  #wait(id: number, { type }: Question, reply: (code: number, addresses: readonly InternetAddress[]) => void): void {
    const { uplink } = this.#os;
    this.#pending++;
    uplink.adopt(id, {
      news: () => {
        const found = uplink.resolved(id);
        if (found === -E.EAGAIN) return;
        uplink.close(id);
        this.#pending--;
        if (typeof found === "number") return reply(found === -E.ENOENT ? RCODE.NO_SUCH_NAME : RCODE.SERVER_FAILURE, []);
        // A host without IPv6 would only let the program try in vain.
        const usable = type === TYPE.AAAA && uplink.source(AF_INET6) === undefined
          ? found.filter(({ family }) => family === AF_INET)
          : found;
        reply(found.length === 0 ? RCODE.NO_SUCH_NAME : RCODE.NO_ERROR, usable);
      },
    });
  }
}

const OWN: readonly InternetAddress[] = [
  { family: AF_INET, host: LOOPBACK4, port: 0 },
  { family: AF_INET6, host: LOOPBACK6, port: 0 },
];
