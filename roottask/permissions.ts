/** What the user has granted, as capabilities: one portal for each permission, which tells what it is and may do it. */
import { encodeText } from "../fs/text.ts";
import type { HostEc, PortalHandler } from "../hedron/api.ts";
import type { Permission } from "./boot_config.ts";
import { delegateObject } from "./delegate.ts";
import { RIGHT_CALL, ROOT } from "./layout.ts";
import { HOST_PD, MAX_PERMISSIONS } from "./protocol.ts";

/** Bytes of text that a message holds behind its first word. */
const MAX_BYTES = 4000;

const textOf = ({ name, value }: Permission): string => `${name} ${value}`;

/** Makes the portals. `service`: what a permission can do, when its portal is called with a message. */
export function createPermissions(
  ec: HostEc,
  permissions: readonly Permission[],
  service: (permission: Permission) => PortalHandler | undefined,
): void {
  permissions.slice(0, MAX_PERMISSIONS).forEach((permission, i) => {
    const tell = teller(textOf(permission)), act = service(permission);
    const handler: PortalHandler = act === undefined ? tell : (id, own) => own.utcb.untyped === 0 ? tell(id, own) : act(id, own);
    ec.createPt(ROOT.PERMISSIONS + i, ROOT.PD, ROOT.SERVICE_EC, 0, handler);
    ec.label(ROOT.PERMISSIONS + i, `grant: ${textOf(permission)}`);
  });
}

/** Gives them all to the PD at selector `pd`. */
export function passPermissions(ec: HostEc, count: number, pd: number): void {
  for (let i = 0; i < Math.min(count, MAX_PERMISSIONS); i++) {
    delegateObject(ec, ROOT.PERMISSIONS + i, RIGHT_CALL, pd, HOST_PD.PERMISSIONS + i);
  }
}

/** Reply: word 0 = bytes of the text that follows. */
function teller(text: string): PortalHandler {
  return (_id, { utcb }) => {
    const length = Math.max(0, encodeText(text, utcb.bytes.subarray(0, 8 + MAX_BYTES), 8));
    utcb.set(0, length);
    utcb.untyped = 1 + Math.ceil(length / 8);
    utcb.typed = 0;
  };
}
