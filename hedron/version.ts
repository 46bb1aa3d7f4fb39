/**
 * What differs between the interface versions that the kernel can offer (ABI 1); one row per version, chosen at boot. Everything that is
 * not named here is the same in both.
 */
export interface Version {
  readonly name: "5004" | "13.2";
  /** `api_ver` in the HIP. */
  readonly api: number;
  /** Offset in the UTCB of the item counts: u32 after the system-call flags, or u64 in the first word. */
  readonly utcbItems: 0 | 4;
  /** Untyped words of a state message. */
  readonly stateItems: number;
  /** CPU and GSI selectors in the kernel PD. */
  readonly numCpu: number;
  readonly numGsi: number;
  /** MTD bit 6 moves FS and GS base in messages of ordinary ECs. */
  readonly fsGs: boolean;
  /** Foreign PDs, chained semaphores, a semaphore that revoke ups, deadlines, assign_*, recall. */
  readonly forkCalls: boolean;
  /** Kernel pages, vCPU calls, yield; create_ec refuses unknown flags. */
  readonly newCalls: boolean;
  /** SCs lose the CPU when their quantum is over. */
  readonly quantum: boolean;
}

/** The thesis's fork, API 5.4. */
export const API_5004: Version = {
  name: "5004",
  api: 5004,
  utcbItems: 4,
  stateItems: 79,
  numCpu: 64,
  numGsi: 192,
  fsGs: true,
  forkCalls: true,
  newCalls: false,
  quantum: true,
};

/** The newest public interface. */
export const API_13_2: Version = {
  name: "13.2",
  api: 13002,
  utcbItems: 0,
  stateItems: 80,
  numCpu: 128,
  numGsi: 0,
  fsGs: false,
  forkCalls: false,
  newCalls: true,
  quantum: false,
};

export const VERSIONS: readonly Version[] = [API_5004, API_13_2];
