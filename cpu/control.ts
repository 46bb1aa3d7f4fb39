/** How instructions pass control on; decides where blocks and regions end. */
export type Control = "next" | "jump" | "branch" | "call" | "return" | "trap";

const CONTROL: Readonly<Record<string, Control>> = {
  jmp: "jump",
  jcc: "branch",
  loop: "branch",
  loope: "branch",
  loopne: "branch",
  jrcxz: "branch",
  call: "call",
  ret: "return",
  syscall: "trap",
  int3: "trap",
  int: "trap",
  int1: "trap",
  ud2: "trap",
  ud1: "trap",
  hlt: "trap",
  iret: "trap",
  retf: "trap",
  callf: "trap",
  jmpf: "trap",
};

export const controlOf = (name: string): Control => CONTROL[name] ?? "next";
