import { RESOLVE } from "../../fs/flags.ts";
import { E } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/fcntl.ts";
import { VirtualFile } from "../files/virtual.ts";
import type { OpenFile } from "../files/open_file.ts";
import { mayTrace } from "../process/access.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { VirtualNode } from "./node.ts";
import { PROC, PTS, SYS } from "./tree.ts";

/** Where a path that touches /proc or /sys leads. */
export type Place =
  | { readonly kind: "node"; readonly node: VirtualNode; readonly path: string; readonly owner: Process | undefined }
  /** A descriptor's file itself (/proc/PID/fd/N). */
  | { readonly kind: "open"; readonly file: OpenFile }
  /** Out of the virtual trees: to be looked up by the file service. */
  | { readonly kind: "real"; readonly path: string };

const ROOTS: Readonly<Record<string, VirtualNode>> = { proc: PROC, sys: SYS };
const MAX_LINKS = 40;
/** Links that lead to a file itself and not to a name are not followed under these restrictions. */
const NO_JUMPS = RESOLVE.NO_MAGICLINKS | RESOLVE.BENEATH | RESOLVE.IN_ROOT;

/** Quick test before anything is resolved. */
function looksVirtual(path: string): boolean {
  const c = path.charCodeAt(1);
  if (c === 0x64) return path.startsWith("/dev/pts") && (path.length === 8 || path.charCodeAt(8) === 0x2f);
  return c === 0x70 && /^\/proc(?:\/|$)/.test(path) || c === 0x73 && /^\/sys(?:\/|$)/.test(path);
}

/**
 * A path that begins in /proc or /sys, by its own text or by the directory `fd` that it is relative to; undefined for all others, which
 * the file service knows (it answers -EREMOTE when a symbolic link or the working directory leads there: see `remote`).
 */
export function virtual(t: Thread, fd: number, path: string, follow: boolean, how: How = {}): Place | number | undefined {
  if (path.charCodeAt(0) === 0x2f) return looksVirtual(path) ? walk(t, path, follow, how) : undefined;
  if (fd === AT_FDCWD) {
    const { virtualCwd } = t.process.fsContext;
    return virtualCwd === undefined ? undefined : walk(t, `${virtualCwd}/${path}`, follow, how);
  }
  const file = t.process.files.get(fd);
  if (!(file instanceof VirtualFile)) return undefined;
  return file.isDirectory ? walk(t, `${file.path}/${path}`, follow, how) : -E.ENOTDIR;
}

/** The same for a path that the file service has answered with -EREMOTE. */
export function remote(t: Thread, dir: number, path: string, follow: boolean, how: How = {}): Place | number {
  if (path.charCodeAt(0) === 0x2f) return walk(t, path, follow, how);
  const { cwd, virtualCwd } = t.process.fsContext;
  const base = dir === cwd && virtualCwd !== undefined ? virtualCwd : t.fs.pathOf(dir);
  return typeof base === "number" ? base : walk(t, `${base === "/" ? "" : base}/${path}`, follow, how);
}

/** What a walk is for. */
export interface How {
  /** What is found will be looked into: -EACCES for a node of a process that the caller may not trace. */
  readonly reads?: boolean;
  /** RESOLVE_* of openat2(2). */
  readonly resolve?: number;
}

/**
 * Walks an absolute path by components: real links are read through the file service until a virtual root is reached.
 */
function walk(t: Thread, path: string, follow: boolean, how: How = {}): Place | number {
  let rest = path.split("/").filter((part) => part !== "" && part !== ".");
  const trailing = path.endsWith("/");
  /** Components so far; `nodes[i]` belongs to the first i+1 of them, when they are virtual. */
  let done: string[] = [];
  let nodes: VirtualNode[] = [];
  let links = 0;
  /** Whose directory of /proc it goes through. */
  const owner = (): Process | undefined => {
    for (const node of nodes) if (node.kind === "directory" && node.process !== undefined) return node.process;
  };
  const closed = (node: VirtualNode): boolean => {
    if (node.kind === "device" || node.guarded !== true) return false;
    const process = owner();
    return process !== undefined && !mayTrace(t, process, false);
  };
  while (rest.length > 0) {
    const name = rest[0];
    rest = rest.slice(1);
    if (name === "..") {
      done.pop();
      nodes.length = Math.min(nodes.length, done.length);
      continue;
    }
    const last = rest.length === 0;
    if (done.length === 0 && Object.hasOwn(ROOTS, name)) {
      done = [name];
      nodes = [ROOTS[name]];
      continue;
    }
    if (name === "pts" && done.length === 1 && done[0] === "dev" && nodes.length === 0) {
      done.push(name);
      nodes = [PTS, PTS];
      continue;
    }
    if (nodes.length === 0 || nodes.length < done.length) {
      const target = t.fs.readlink(0, `/${[...done, name].join("/")}`);
      if (typeof target === "string" && (!last || follow)) {
        if (++links > MAX_LINKS) return -E.ELOOP;
        const parts = target.split("/").filter((part) => part !== "" && part !== ".");
        rest = [...parts, ...rest];
        if (target.startsWith("/")) done = [];
        continue;
      }
      done.push(name);
      continue;
    }
    const parent = nodes[nodes.length - 1];
    if (parent.kind !== "directory") return -E.ENOTDIR;
    if (closed(parent)) return -E.EACCES;
    const child = parent.lookup(t, name);
    if (child === undefined) return -E.ENOENT;
    if (child.kind === "link" && (!last || follow || trailing)) {
      if (++links > MAX_LINKS) return -E.ELOOP;
      if (closed(child)) return -E.EACCES;
      const { resolve = 0 } = how;
      const isMagic = child.guarded === true || child.file !== undefined;
      if ((resolve & RESOLVE.NO_SYMLINKS) !== 0 || isMagic && (resolve & NO_JUMPS) !== 0) return -E.ELOOP;
      if (child.file !== undefined && last) {
        const file = child.file();
        return file.handle === undefined || !file.path.startsWith("/")
          ? { kind: "open", file }
          : { kind: "real", path: file.path };
      }
      const target = child.target(t);
      const parts = target.split("/").filter((part) => part !== "" && part !== ".");
      if (target.startsWith("/")) {
        done = [];
        nodes = [];
        if (!looksVirtual(target)) return { kind: "real", path: [target, ...rest].join("/") };
      }
      rest = [...parts, ...rest];
      continue;
    }
    done.push(name);
    nodes.push(child);
  }
  if (nodes.length === 0 || nodes.length < done.length) return { kind: "real", path: `/${done.join("/")}` };
  const node = nodes[nodes.length - 1];
  if (how.reads === true && closed(node)) return -E.EACCES;
  if (trailing && node.kind === "file") return -E.ENOTDIR;
  return { kind: "node", node, path: `/${done.join("/")}`, owner: owner() };
}
