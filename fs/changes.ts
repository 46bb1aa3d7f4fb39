/** What has been changed in a memory layer, against what lies below it. */
import { ENOMEM } from "../host/errno.ts";
import type { FsStat } from "./api.ts";
import { MemoryFile } from "./memory_file.ts";
import { MemoryDirectory } from "./memory_fs.ts";
import type { Node } from "./node.ts";
import { emptyStat } from "./empty_stat.ts";

export interface Change {
  /** Absolute path in the guest. */
  path: string;
  change: "added" | "changed" | "removed";
  /** As it is now, or for what was removed as it was. */
  stat: FsStat;
  node: Node;
}

/** Bytes that `Layer.contents` hands over at most at a time. */
const PIECE = 256 << 10;

/** A writable layer in guest memory: a mount of its own, or what lies over a source that is not written. */
export class Layer {
  private readonly buffer: number;

  /** `path`: where it is mounted. Takes its buffer at once: at the end the guests may have used all memory. */
  constructor(readonly path: string, private readonly root: MemoryDirectory) {
    this.buffer = root.fs.pool.take(PIECE);
  }

  /**
   * In the order of the tree, directories before what they hold. A directory counts as changed when its mode or owner is; of a directory
   * that was removed only itself is told. Without anything below, everything is added.
   */
  changes(): Change[] {
    const out: Change[] = [];
    compare(this.root, this.root.lower, true, this.path === "/" ? "" : this.path, out);
    return out;
  }

  /** The bytes of a regular file in pieces, each valid until the next one; -errno when it cannot be read. */
  *contents(node: Node): Generator<Uint8Array<ArrayBuffer>, number> {
    const { ram } = this.root.fs;
    if (this.buffer === 0) return -ENOMEM;
    const opened = node.open(false);
    if (opened < 0) return opened;
    try {
      for (let at = 0;;) {
        const got = node.read(at, this.buffer, PIECE);
        if (got <= 0) return got;
        yield ram.view(this.buffer, got);
        at += got;
      }
    } finally {
      node.close(false);
    }
  }
}

/** `inPlace`: `directory` reads through to `below`, so that only its own entries can differ. */
function compare(directory: MemoryDirectory, below: Node | undefined, inPlace: boolean, path: string, out: Change[]): void {
  const names = inPlace
    ? [...directory.children.keys()]
    : [...new Set([...namesOf(directory), ...below === undefined ? [] : namesOf(below)])];
  for (const name of names.sort()) {
    const now = directory.lookup(name), before = below?.lookup(name);
    compareEntry(
      typeof now === "number" ? undefined : now,
      typeof before === "number" ? undefined : before,
      `${path}/${name}`,
      out,
    );
  }
}

function compareEntry(now: Node | undefined, before: Node | undefined, path: string, out: Change[]): void {
  if (now === undefined) {
    if (before !== undefined) out.push({ path, change: "removed", stat: statOf(before), node: before });
    return;
  }
  const stat = statOf(now), sameKind = before !== undefined && before.type === now.type;
  if (before === undefined) out.push({ path, change: "added", stat, node: now });
  else if (!sameKind || differs(now, stat, before)) out.push({ path, change: "changed", stat, node: now });
  if (!(now instanceof MemoryDirectory)) return;
  const old = sameKind ? before : undefined;
  compare(now, old, old !== undefined && now.lower !== undefined && isSame(now.lower, old), path, out);
}

/** Precondition: both are of the same kind. */
function differs(now: Node, stat: FsStat, before: Node): boolean {
  const old = statOf(before);
  if (stat.mode !== old.mode || stat.uid !== old.uid || stat.gid !== old.gid) return true;
  if (now.isDirectory) return false;
  if (now.isLink) return now.readlink() !== before.readlink();
  if (!(now instanceof MemoryFile) || now.copied || now.lower === undefined || !isSame(now.lower, before)) return true;
  return stat.mtime[0] !== old.mtime[0] || stat.mtime[1] !== old.mtime[1];
}

/** Nodes of a lower file system are made anew when they have been forgotten. */
function isSame(a: Node, b: Node): boolean {
  return a === b || a.fs === b.fs && statOf(a).ino === statOf(b).ino;
}

function namesOf(directory: Node): string[] {
  const entries = directory.entries();
  return typeof entries === "number" ? [] : entries.map(({ name }) => name);
}

function statOf(node: Node): FsStat {
  const stat = emptyStat();
  node.stat(stat);
  return stat;
}
