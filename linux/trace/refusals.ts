import { endpointText, ipText } from "../../roottask/ip.ts";
import { E } from "../abi/errno.ts";
import { type InternetAddress, unmapped } from "../net/address.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";

/** What a program did not get. */
export type Refusal =
  /** It would have sent to that place of the network. */
  | { kind: "connect"; place: string }
  /** It asked for the addresses of that name. */
  | { kind: "name"; name: string }
  /** It listens there, and nobody outside the machine hears of it. */
  | { kind: "listen"; place: string }
  /** No such file. Told, as everything from here on, to a Learner only. */
  | { kind: "file"; path: string }
  /** A call that is not implemented, or refused whoever asks. */
  | { kind: "call"; name: string }
  /** Memory, or tasks, were used up. */
  | { kind: "memory" }
  | { kind: "tasks" };

/** A refusal with the program that met it. */
export type Refused = Refusal & { program: string; times: number };

/** Different ones that are kept. */
const MAX_KEPT = 1000;
/** Places in the line at the end. */
const NAMED_PLACES = 8;

/** Remembers what was not granted, for the report at the end. */
export class Refusals {
  readonly #os: Personality;
  readonly #all = new Map<string, Refused>();

  constructor(os: Personality) {
    this.#os = os;
  }

  get all(): Iterable<Refused> {
    return this.#all.values();
  }

  note(t: Thread, refusal: Refusal): void {
    const program = t.name, key = JSON.stringify([program, refusal]), old = this.#all.get(key);
    if (old !== undefined) old.times++;
    else if (this.#all.size < MAX_KEPT) this.#all.set(key, { ...refusal, program, times: 1 });
  }

  /** Nothing leads to `to`. The errno: as on a machine without any network, or one whose routes prohibit it (ip-route(8)). */
  unreachable(t: Thread, { host, port }: InternetAddress): number {
    const ip = unmapped(host);
    this.note(t, { kind: "connect", place: port === 0 ? ipText(ip) : endpointText(ip, port) });
    return this.#os.uplink.exists ? -E.EACCES : -E.ENETUNREACH;
  }

  /** `t` listens where only this machine hears it. */
  unheard(t: Thread, { host, port }: InternetAddress): void {
    this.note(t, { kind: "listen", place: endpointText(unmapped(host), port) });
  }

  /** One line about what programs tried to reach in vain; undefined when there is nothing. */
  line(): string | undefined {
    const places = new Map<string, string>();
    for (const each of this.#all.values()) {
      if (each.kind === "name") places.set(each.name, each.program);
      else if (each.kind === "connect") places.set(each.place, each.program);
    }
    if (places.size === 0) return undefined;
    const some = [...places].slice(0, NAMED_PLACES),
      more = places.size > some.length ? ` and ${places.size - some.length} more` : "";
    return `network access that is not granted: ${
      some.map(([place, program]) => `${place} (${program})`).join(", ")
    }${more}; see --allow-net`;
  }
}
