import type { Tty } from "../files/tty.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";

/** Of a process's directory: only who may trace the process looks into it (ptrace(2), "Ptrace access mode checking"). */
interface Guarded {
  readonly guarded?: true;
}

/** One name in /proc or /sys. What it holds is made when it is looked at. */
export type VirtualNode =
  | {
    readonly kind: "file";
    readonly mode: number;
    readonly content: (t: Thread) => string | Uint8Array;
    /** Makes the open file, where that is more than contents. */
    readonly open?: (flags: number) => OpenFile;
  } & Guarded
  | Guarded & {
    readonly kind: "directory";
    /** 0555 when absent. */
    readonly mode?: number;
    /** It and what is below it belong to this process. */
    readonly process?: Process;
    readonly lookup: (t: Thread, name: string) => VirtualNode | undefined;
    readonly names: (t: Thread) => string[];
  }
  | {
    readonly kind: "device";
    readonly rdev: number;
    /** Can be changed by chmod() and chown(). */
    readonly owner: Tty["owner"];
    readonly open: (t: Thread, flags: number) => OpenFile | number;
  }
  /** A symbolic link; `file` when following it leads to an open file rather than to a path. */
  | { readonly kind: "link"; readonly target: (t: Thread) => string; readonly file?: () => OpenFile } & Guarded;

export function file(content: (t: Thread) => string | Uint8Array, mode = 0o444): VirtualNode {
  return { kind: "file", mode, content };
}

export function link(target: (t: Thread) => string, open?: () => OpenFile): VirtualNode {
  return open === undefined ? { kind: "link", target } : { kind: "link", target, file: open };
}

/** The same node, for those who may trace its process only. */
export const guarded = <T extends VirtualNode>(node: T): T => ({ ...node, guarded: true });

/** A directory with fixed names. */
export function directory(entries: Readonly<Record<string, VirtualNode>>): VirtualNode & { kind: "directory" } {
  const map = new Map(Object.entries(entries));
  return { kind: "directory", lookup: (_t, name) => map.get(name), names: () => [...map.keys()] };
}
