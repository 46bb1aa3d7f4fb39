import { DenoDirectory } from "../host/deno_directory.ts";
import { tarProblem } from "../fs/tar_fs.ts";
import type { Mount } from "../roottask/boot_config.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import type { Grant } from "./options.ts";
import type { HostProgram } from "./target.ts";

const TAR_BLOCK = 512;

/** The guest's file tree when PROGRAM is a host file: that file, and an empty /tmp. */
export const soleProgram = (program: HostProgram): Mount[] => [
  {
    guest: "/",
    source: { kind: "files", files: [{ path: program.guestPath.slice(1), bytes: program.bytes, mode: program.mode }] },
    overlay: true,
  },
  { guest: "/tmp", source: { kind: "memory" }, overlay: false },
];

/** The guest's file tree from `--root`. Throws a UserError when it is neither a directory nor a tar archive. */
export async function rootMount(root: Grant): Promise<Mount> {
  const info = stat(root, "Cannot open root");
  if (info.isDirectory) return directoryMount(root, "Cannot open root");
  if (root.writable) {
    throw new UserError(
      `Cannot use "${root.host}:rw" as --root: a tar archive cannot be written (without :rw changes stay in memory)`,
      EXIT.USAGE,
    );
  }
  if (!info.isFile) throw new UserError(`Cannot open root "${root.host}": neither a directory nor a tar archive`, EXIT.FAILURE);
  return { guest: "/", source: { kind: "tar", bytes: await readTar(root.host) }, overlay: true };
}

/** One `--mount`. */
export function extraMount(mount: Grant): Mount {
  if (!stat(mount, "Cannot mount").isDirectory) {
    throw new UserError(`Cannot mount "${mount.host}": not a directory`, EXIT.FAILURE);
  }
  return directoryMount(mount, "Cannot mount");
}

function directoryMount(grant: Grant, action: string): Mount {
  try {
    const directory = new DenoDirectory(grant.host, grant.writable);
    return { guest: grant.guest, source: { kind: "host", directory }, overlay: !grant.writable };
  } catch (error) {
    throw failure(action, grant.host, error);
  }
}

function stat(grant: Grant, action: string): Deno.FileInfo {
  try {
    return Deno.statSync(grant.host);
  } catch (error) {
    throw failure(action, grant.host, error);
  }
}

/** An archive as it is, or what gzip holds. */
async function readTar(path: string): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Deno.readFileSync(path);
    // RFC 1952, 2.3.1.
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      bytes = new Uint8Array(
        await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer(),
      );
    }
  } catch (error) {
    throw failure("Cannot open root", path, error);
  }
  if (!isTar(bytes)) throw new UserError(`Cannot open root "${path}": neither a directory nor a tar archive`, EXIT.FAILURE);
  const problem = tarProblem(bytes);
  if (problem !== undefined) throw new UserError(`Cannot open root "${path}": damaged tar archive: ${problem}`, EXIT.FAILURE);
  return bytes;
}

/** POSIX.1-1988 "ustar": the first header's checksum is right; it counts its own field as blanks. */
function isTar(bytes: Uint8Array): boolean {
  if (bytes.length < TAR_BLOCK) return false;
  const stored = parseInt(new TextDecoder().decode(bytes.subarray(148, 156)).replace(/\0.*$/s, ""), 8);
  let sum = 8 * 0x20;
  for (let i = 0; i < TAR_BLOCK; i++) if (i < 148 || i >= 156) sum += bytes[i];
  return sum === stored;
}

function failure(action: string, path: string, error: unknown): UserError {
  if (error instanceof Deno.errors.NotFound) return new UserError(`${action} "${path}": no such file or directory`, EXIT.FAILURE);
  if (error instanceof Deno.errors.PermissionDenied) return new UserError(`${action} "${path}": permission denied`, EXIT.FAILURE);
  return new UserError(`${action} "${path}": ${reasonOf(error)}`, EXIT.FAILURE);
}
