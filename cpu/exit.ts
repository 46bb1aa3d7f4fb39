/** Why generated code (interpreter handlers or regions) returned to the dispatcher. */
export const enum Exit {
  /** Go on at RIP. */
  Continue = 0,
  /** An exception is described in CTL_VECTOR, CTL_ERROR, CTL_ADDRESS. */
  Fault = 1,
  Syscall = 2,
  /** The block at RIP has become hot. */
  Hot = 3,
  /** The poll budget is used up. */
  Poll = 4,
  /** The instruction at RIP could not go on in a region (unmapped extent, cold code): interpret it. */
  Side = 5,
  /** Code or mappings have changed, or guest calls are nested too deeply: nothing that is on the stack may go on. Continue at RIP. */
  Left = 6,
  /** A `syscall` has been dealt with, but the run is to end. */
  SyscallDone = 7,

  // ---- of the dispatcher's inner loop only (dispatch.ts)

  /** The dispatcher must look what to do at RIP. */
  Look = 8,
  /** The poll budget is used up within a region. */
  RegionPoll = 9,
}
