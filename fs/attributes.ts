/** Extended attributes: xattr(7). `user.` and `trusted.` are kept, by file systems in memory; others are not there. */
import { E2BIG, EEXIST, ENODATA, ENOSPC, EOPNOTSUPP, EPERM, ERANGE, EROFS } from "../host/errno.ts";
import { CAP, has, type Identity, MAY_READ, MAY_WRITE, permits } from "./identity.ts";
import type { Node } from "./node.ts";
import { S_IFDIR, S_IFREG } from "./flags.ts";
import { textBytes } from "./text.ts";

/** Values by name. */
export type Attributes = Map<string, Uint8Array>;

const NAME_MAX = 255, SIZE_MAX = 65536;
/** Bytes of all attributes of one file. */
const TOTAL_MAX = 128 << 10;
const CREATE = 1, REPLACE = 2;

/** May `who` read or write this attribute? xattr_permission(), fs/xattr.c. */
function permitted(who: Identity, node: Node, name: string, write: boolean): number {
  if (textBytes(name) < 1 || textBytes(name) > NAME_MAX) return -ERANGE;
  if (write && node.fs.readOnly) return -EROFS;
  const none = write ? -EPERM : -ENODATA;
  if (name.startsWith("trusted.")) return has(who, CAP.SYS_ADMIN) ? 0 : none;
  if (name.startsWith("security.")) return write ? -EOPNOTSUPP : -ENODATA;
  if (!name.startsWith("user.") || name === "user.") return -EOPNOTSUPP;
  if (node.type !== S_IFREG && node.type !== S_IFDIR) return none;
  return permits(who, node, write ? MAY_WRITE : MAY_READ);
}

export function get(who: Identity, node: Node, name: string): Uint8Array | number {
  const status = permitted(who, node, name, false);
  if (status < 0) return status;
  const attributes = node.attributeMap(false);
  if (typeof attributes === "number") return attributes;
  return attributes?.get(name) ?? -ENODATA;
}

export function set(who: Identity, node: Node, name: string, value: Uint8Array, flags: number): number {
  if (value.length > SIZE_MAX) return -E2BIG;
  const status = permitted(who, node, name, true);
  if (status < 0) return status;
  const attributes = node.attributeMap(true);
  if (typeof attributes === "number") return attributes;
  const old = attributes?.get(name);
  if ((flags & CREATE) !== 0 && old !== undefined) return -EEXIST;
  if ((flags & REPLACE) !== 0 && old === undefined) return -ENODATA;
  let total = value.length - (old?.length ?? 0);
  for (const each of attributes?.values() ?? []) total += each.length;
  if (total > TOTAL_MAX) return -ENOSPC;
  attributes?.set(name, value);
  return 0;
}

export function remove(who: Identity, node: Node, name: string): number {
  const status = permitted(who, node, name, true);
  if (status < 0) return status;
  const attributes = node.attributeMap(true);
  if (typeof attributes === "number") return attributes;
  return attributes?.delete(name) === true ? 0 : -ENODATA;
}

/** Names, those that `who` may see. */
export function list(who: Identity, node: Node): string[] | number {
  const attributes = node.attributeMap(false);
  if (typeof attributes === "number") return attributes;
  return [...attributes?.keys() ?? []].filter((name) => !name.startsWith("trusted.") || has(who, CAP.SYS_ADMIN));
}
