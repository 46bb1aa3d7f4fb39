import type { HostEc } from "../../hedron/api.ts";
import { HOST_PD } from "../../roottask/protocol.ts";
import { bytesToText } from "../trace/text.ts";

/** Something that the user has granted. */
export interface Granted {
  /** The portal that tells it, and through which it is used, if it is something to be used. */
  readonly selector: number;
  readonly name: string;
  readonly value: string;
}

/** What the user has granted; there are `count` of them. A permission is the portal that tells it: without the capability there is none. */
export function readPermissions(ec: HostEc, count: number): readonly Granted[] {
  const permissions: Granted[] = [], { utcb } = ec;
  for (let i = 0; i < count; i++) {
    const selector = HOST_PD.PERMISSIONS + i;
    utcb.untyped = utcb.typed = 0;
    if (ec.call(selector) !== 0) break;
    const text = bytesToText(utcb.bytes, 8, utcb.get(0)), space = text.indexOf(" ");
    permissions.push({ selector, name: text.slice(0, space), value: text.slice(space + 1) });
  }
  return permissions;
}
