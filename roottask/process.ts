/** A process as roottask knows it. */
import type { PersonalityName, ProcessSelectors } from "./layout.ts";

/** Memory of a hyperapp: [va, va + bytes) is [pa, pa + bytes) of roottask's pool. */
export interface Mapping {
  va: number;
  pa: number;
  bytes: number;
  writable: boolean;
  /** The address that the allocate service has handed out for it (and may be asked to free), or undefined: not from there. */
  allocation: number | undefined;
}

export interface OpenFile {
  /** Of the file service. */
  handle: number;
  offset: number;
  append: boolean;
}

export class Process {
  /** Empty for Linux processes: their memory is the personality's. */
  readonly mappings: Mapping[] = [];
  /** Where the allocate service continues. */
  nextAddress = 0;
  readonly files = new Map<number, OpenFile>();
  entry = 0;

  constructor(
    readonly pid: number,
    public name: string,
    /** A personality's name, or a hyperapp. */
    readonly kind: PersonalityName | "hyperapp",
    readonly slot: number,
    readonly selectors: ProcessSelectors,
  ) {}

  /**
   * The longest piece of [va, va + length) that lies in one mapping with the right, as an address in roottask; length 0 = none.
   */
  translate(va: number, length: number, write: boolean): { pa: number; length: number } {
    for (const mapping of this.mappings) {
      if (va < mapping.va || va >= mapping.va + mapping.bytes || write && !mapping.writable) continue;
      return { pa: mapping.pa + va - mapping.va, length: Math.min(length, mapping.va + mapping.bytes - va) };
    }
    return { pa: 0, length: 0 };
  }
}
