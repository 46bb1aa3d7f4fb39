import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";

/** One name in /proc or /sys. What it holds is made when it is looked at. */
export type VirtualNode =
  | { readonly kind: "file"; readonly mode: number; readonly content: (t: Thread) => string | Uint8Array }
  | {
    readonly kind: "directory";
    readonly lookup: (t: Thread, name: string) => VirtualNode | undefined;
    readonly names: (t: Thread) => string[];
  }
  | {
    readonly kind: "device";
    readonly rdev: number;
    readonly open: (t: Thread, flags: number) => OpenFile | number;
  }
  /** A symbolic link; `file` when following it leads to an open file rather than to a path. */
  | { readonly kind: "link"; readonly target: (t: Thread) => string; readonly file?: () => OpenFile };

export function file(content: (t: Thread) => string | Uint8Array, mode = 0o444): VirtualNode {
  return { kind: "file", mode, content };
}

export function link(target: (t: Thread) => string, open?: () => OpenFile): VirtualNode {
  return open === undefined ? { kind: "link", target } : { kind: "link", target, file: open };
}

/** A directory with fixed names. */
export function directory(entries: Readonly<Record<string, VirtualNode>>): VirtualNode {
  const map = new Map(Object.entries(entries));
  return { kind: "directory", lookup: (_t, name) => map.get(name), names: () => [...map.keys()] };
}
