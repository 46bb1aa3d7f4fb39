/** What the processor has done: counters that are kept beside the slow paths, and the view of them for `--stats`. */

/** Why a region was dropped. */
export const KILL_CAUSES = {
  written: "code written",
  unmapped: "mapping changed",
  grown: "extent grown",
  roaming: "address roams",
  extended: "cold exit became hot",
  page: "data page holds code",
  space: "space ended",
  limit: "too many",
} as const;
export type KillCause = keyof typeof KILL_CAUSES;

/** Why an instruction left its region to be executed by the interpreter. */
export const SIDE_EXITS = {
  extent: "address outside its extent",
  code: "wrote to code",
  fault: "exception",
  other: "only the interpreter does it",
} as const;
export type SideExit = keyof typeof SIDE_EXITS;

/** How a region that the dispatcher had entered came back: names of `Exit`, in its order. */
export const REGION_EXITS = ["elsewhere", "fault", "syscall", "hot", "poll", "side exit", "unwound", "run ended"] as const;

const zeros = <K extends string>(names: Readonly<Record<K, string>>): Record<K, number> =>
  Object.fromEntries(Object.keys(names).map((name) => [name, 0])) as Record<K, number>; // fromEntries forgets the keys' type

/** Filled in by the parts of the processor. Times in ns. */
export class Counters {
  blocks = 0;
  /** Instructions decoded into blocks. */
  decoded = 0;
  /** Instructions executed by the interpreter in blocks that have been dropped or diverted since. */
  interpreted = 0;
  /** Entries of such blocks. */
  blockEntries = 0;
  handlerBytes = 0;
  handlerNs = 0;
  emitNs = 0;
  compileNs = 0;
  /** Regions of earlier runs that have been installed. */
  restored = 0;
  syscalls = 0;
  /** Single steps, for TF. */
  steps = 0;
  readonly killed = zeros(KILL_CAUSES);
  readonly sideExits = zeros(SIDE_EXITS);

  /** @param now monotonic ns */
  constructor(readonly now: () => number) {}

  /**
   * @param polls all polls, those at the heads of interpreted blocks included
   * @param exits how regions have come back, by `Exit`
   */
  view(
    handlers: number,
    polls: number,
    exits: readonly number[],
    blocks: Pick<CpuStats["interpreter"], "instructions" | "blockEntries" | "recordBytes">,
    regions: Pick<CpuStats["regions"], "made" | "killed" | "instructionsTranslated" | "codeBytes">,
  ): CpuStats {
    return {
      interpreter: {
        ...blocks,
        blocksDecoded: this.blocks,
        instructionsDecoded: this.decoded,
        handlers,
        handlerBytes: this.handlerBytes,
        handlerNs: this.handlerNs,
        singleSteps: this.steps,
      },
      regions: {
        ...regions,
        restored: this.restored,
        killedBy: { ...this.killed },
        emitNs: this.emitNs,
        compileNs: this.compileNs,
        entries: exits.reduce((a, b) => a + b, 0),
        polls: Math.max(0, polls - blocks.blockEntries),
        exits: Object.fromEntries(REGION_EXITS.map((name, exit) => [name, exits[exit]])),
        sideExits: { ...this.sideExits },
      },
      syscalls: this.syscalls,
    };
  }
}

/** The statistics of one processor since it was made. */
export interface CpuStats {
  interpreter: {
    /** Estimate: executions of blocks times their lengths; too high by what faults cut off. */
    instructions: number;
    /** Exact, but for the rest of a block after an instruction that left its region. */
    blockEntries: number;
    blocksDecoded: number;
    instructionsDecoded: number;
    /** Handlers in use, their WebAssembly bytes and the time to compile them, ns. */
    handlers: number;
    handlerBytes: number;
    handlerNs: number;
    /** Bytes of decoded records in use. */
    recordBytes: number;
    singleSteps: number;
  };
  regions: {
    made: number;
    /** Taken from the code cache. */
    restored: number;
    killed: number;
    killedBy: Record<KillCause, number>;
    /** Guest instructions in all regions made. */
    instructionsTranslated: number;
    /** WebAssembly bytes. */
    codeBytes: number;
    /** Time to write WebAssembly, and in WebAssembly.Module and Instance, ns. What V8 compiles later in the background is not in it. */
    emitNs: number;
    compileNs: number;
    /** Entries from the dispatcher; calls and jumps between regions do not pass it. */
    entries: number;
    /** Polls: entries into regions that call or jump elsewhere, and each 1024th turn of a loop. Regions count no instructions. */
    polls: number;
    exits: Record<string, number>;
    sideExits: Record<SideExit, number>;
  };
  syscalls: number;
}
