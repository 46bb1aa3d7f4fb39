import { EXIT, reasonOf, UserError } from "./errors.ts";
import { inspectExecutable, type Inspection } from "../roottask/diagnose.ts";
import { parseElf } from "../roottask/elf.ts";
import type { Kind } from "./options.ts";

/** A program file of the host that will be the guest's only file. */
export interface HostProgram {
  /** Absolute path on the host. */
  hostPath: string;
  /** Path that the guest sees. */
  guestPath: string;
  bytes: Uint8Array<ArrayBuffer>;
  mode: number;
  kind: Kind;
}

export const cannotRun = (name: string, reason: string, exitCode: number): UserError =>
  new UserError(`Cannot run "${name}": ${reason}`, exitCode);

/**
 * Finds and reads PROGRAM on the host, as a shell would: a name with a slash is a path; a bare name is a file of the working directory or
 * else of a directory in PATH. Throws a UserError with the shell's exit code 126 or 127 when it cannot be started.
 */
export function openHostProgram(name: string, override: Kind | undefined): HostProgram {
  if (name === "") throw cannotRun(name, "no such file", EXIT.NOT_FOUND);
  const hostPath = findOnHost(name);
  const info = statOrThrow(name, hostPath);
  if (info.isDirectory) throw cannotRun(name, "is a directory", EXIT.NOT_EXECUTABLE);
  if (!info.isFile) throw cannotRun(name, "not a regular file", EXIT.NOT_EXECUTABLE);
  const mode = (info.mode ?? 0o755) & 0o7777;
  if ((mode & 0o111) === 0) throw cannotRun(name, "permission denied (no execute bit)", EXIT.NOT_EXECUTABLE);
  const bytes = readOrThrow(name, hostPath);
  const read = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const found = inspectExecutable(read, bytes.length);
  refuseUnstartable(name, found);
  const elf = parseElf(read);
  const kind = override ?? (typeof elf === "number" ? "linux" : elf.kind);
  return { hostPath, guestPath: `/${hostPath.slice(hostPath.lastIndexOf("/") + 1)}`, bytes, mode, kind };
}

/** Without --root nothing else of the host is visible, so neither a script nor a dynamically linked program can start. */
function refuseUnstartable(name: string, found: Inspection): void {
  if (found.kind === "bad") throw cannotRun(name, found.reason, EXIT.NOT_EXECUTABLE);
  if (found.interpreter === undefined) return;
  throw cannotRun(name, `its interpreter ${found.interpreter} is not visible in the guest (use --root)`, EXIT.NOT_FOUND);
}

function findOnHost(name: string): string {
  if (name.includes("/")) return absolute(name);
  for (const dir of [".", ...(Deno.env.get("PATH") ?? "").split(":")]) {
    const path = absolute(`${dir || "."}/${name}`);
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return absolute(name);
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path.replace(/^(\.\/+)+/, "")}`;
}

function statOrThrow(name: string, path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    throw hostError(name, error);
  }
}

function readOrThrow(name: string, path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw hostError(name, error);
  }
}

function hostError(name: string, error: unknown): UserError {
  if (error instanceof Deno.errors.NotFound) return cannotRun(name, "no such file", EXIT.NOT_FOUND);
  if (error instanceof Deno.errors.NotADirectory) return cannotRun(name, "not a directory on the way", EXIT.NOT_EXECUTABLE);
  if (error instanceof Deno.errors.PermissionDenied) return cannotRun(name, "permission denied", EXIT.NOT_EXECUTABLE);
  if (error instanceof Deno.errors.FilesystemLoop) return cannotRun(name, "too many symbolic links", EXIT.NOT_EXECUTABLE);
  return cannotRun(
    name,
    reasonOf(error).replace(/ \(os error \d+\).*$|:? ?(stat|open|readfile) '.*'$/, "").toLowerCase(),
    EXIT.NOT_EXECUTABLE,
  );
}
