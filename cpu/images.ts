/**
 * What decoded and translated code belongs to. Executable, read-only memory that is mapped at the same virtual and physical addresses in
 * several spaces (the text of a program or library) is one *image*: all of them run the same blocks and regions. Everything else, writable
 * code for example, belongs to an image of its space alone.
 */
import type { Block } from "./interp/blocks.ts";
import { PAGE } from "./layout.ts";
import type { Space } from "./mmu.ts";
import { type Extent, RIGHT_W, RIGHT_X } from "./space.ts";

/** Images that no space has mapped now are kept for the next one that does; at most so many. */
const MAX_IDLE = 128;

export class Image {
  readonly blocks = new Map<number, Block>();
  /** Records that look up where to go on, by address (blocks.ts). */
  readonly lookups = new Map<number, number>();
  readonly spaces = new Set<Space>();
  /** More than one space has used it. */
  shared = false;
  constructor(
    /** Virtual bounds: all of it is mapped in each of its spaces. */
    public start: number,
    public end: number,
    public key: string,
  ) {}
  contains(pc: number): boolean {
    return pc >= this.start && pc < this.end;
  }
}

/** The images of one space. */
interface View {
  readonly space: Space;
  readonly attached: Image[];
  /** Attached images by page number, as far as they have been asked for; large programs have hundreds. */
  readonly byPage: Map<number, Image>;
  /** The attached image that was asked for last. */
  last: Image | undefined;
  /** For everything that is in none of them. */
  readonly own: Image;
}

export interface ImageHooks {
  /** A space does not map an image any more: what it knows about the addresses is void. */
  detached(space: Space, image: Image): void;
  /** Nothing will ask for the image again. */
  discarded(image: Image): void;
}

export class Images {
  readonly #views = new Map<Space, View>();
  readonly #byKey = new Map<string, Image>();
  /** Images without a space, the one that was left first at the front. */
  readonly #idle = new Set<Image>();
  #last: View | undefined;

  constructor(private readonly hooks: ImageHooks) {}

  /** The image for code at `pc`. */
  at(space: Space, pc: number): Image {
    const view = this.#view(space), { last } = view;
    if (last?.contains(pc)) return last;
    const page = Math.floor(pc / PAGE), known = view.byPage.get(page);
    if (known) return view.last = known;
    const e = pc < 2 ** 47 ? space.find(pc) : undefined;
    if (!e || !(e.rights & RIGHT_X) || e.rights & RIGHT_W) return view.own;
    const image = view.attached.find((i) => i.contains(pc)) ?? this.#attach(view, e);
    view.byPage.set(page, image);
    return view.last = image;
  }
  #attach(view: View, e: Extent): Image {
    const { space } = view, key = `${e.start}.${e.end}.${e.pa}`;
    let image = this.#byKey.get(key);
    if (image) image.shared = true;
    else {
      // Memory of a just-in-time compiler grows page by page.
      image = view.attached.find((i) => !i.shared && i.start >= e.start && i.end <= e.end);
      if (image) return this.#grow(image, e.start, e.end, key);
      this.#byKey.set(key, image = new Image(e.start, e.end, key));
    }
    this.#idle.delete(image);
    image.spaces.add(space);
    view.attached.push(image);
    return image;
  }
  /** The image for code that only this space has. */
  own(space: Space): Image {
    return this.#view(space).own;
  }
  *all(): Iterable<Image> {
    yield* this.#byKey.values();
    for (const view of this.#views.values()) yield view.own;
  }

  /** Mappings in [from, to) have changed or gone. */
  spaceChanged(space: Space, from: number, to: number): void {
    const view = this.#views.get(space);
    if (!view) return;
    for (let n = view.attached.length - 1; n >= 0; n--) {
      const image = view.attached[n];
      if (image.start >= to || image.end <= from) continue;
      view.attached.splice(n, 1);
      view.byPage.clear();
      view.last = undefined;
      this.hooks.detached(space, image);
      this.#leave(space, image);
    }
  }
  /** The space is gone. */
  release(space: Space): void {
    const view = this.#views.get(space);
    if (!view) return;
    for (const image of view.attached) this.#leave(space, image);
    this.hooks.discarded(view.own);
    this.#views.delete(space);
    if (this.#last === view) this.#last = undefined;
  }

  #grow(image: Image, start: number, end: number, key: string): Image {
    this.#byKey.delete(image.key);
    this.#byKey.set(key, image);
    image.start = start;
    image.end = end;
    image.key = key;
    return image;
  }
  #leave(space: Space, image: Image): void {
    image.spaces.delete(space);
    if (image.spaces.size > 0) return;
    if (image.blocks.size > 0) this.#idle.add(image);
    else this.#discard(image);
    if (this.#idle.size > MAX_IDLE) {
      for (const oldest of this.#idle) {
        this.#discard(oldest);
        break;
      }
    }
  }
  #discard(image: Image): void {
    this.#idle.delete(image);
    this.#byKey.delete(image.key);
    this.hooks.discarded(image);
  }
  #view(space: Space): View {
    if (this.#last?.space === space) return this.#last;
    let view = this.#views.get(space);
    if (!view) {
      view = { space, attached: [], byPage: new Map(), last: undefined, own: new Image(0, Infinity, "") };
      view.own.spaces.add(space);
      this.#views.set(space, view);
    }
    return this.#last = view;
  }
}
