import type { HostEc } from "../../hedron/api.ts";
import { HOST_PD } from "../../roottask/protocol.ts";
import { bytesToText } from "../trace/text.ts";

/** What the user has granted, by name; there are `count` of them. A permission is the portal that tells it: without the capability there is none. */
export function readPermissions(ec: HostEc, count: number): ReadonlyMap<string, readonly string[]> {
  const permissions = new Map<string, string[]>(), { utcb } = ec;
  for (let i = 0; i < count; i++) {
    utcb.untyped = utcb.typed = 0;
    if (ec.call(HOST_PD.PERMISSIONS + i) !== 0) break;
    const text = bytesToText(utcb.bytes, 8, utcb.get(0)), space = text.indexOf(" "), name = text.slice(0, space);
    permissions.set(name, [...permissions.get(name) ?? [], text.slice(space + 1)]);
  }
  return permissions;
}
