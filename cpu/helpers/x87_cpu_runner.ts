/** Runs the cases of x87_cases.ts on a whole processor, so that semantics and fast paths are compared too. */
import { createCpu, RIGHT_R, RIGHT_W, RIGHT_X, Trap } from "../mod.ts";
import { GPR, KERNEL_MEMORY, RF, RIP, STATE_BYTES, USER_RAM, VEC } from "../layout.ts";
import { type Case, OUT_BYTES } from "./x87_cases.ts";

const PAGE = 4096, STATE_AT = KERNEL_MEMORY, IMAGE_AT = KERNEL_MEMORY + 2 * STATE_BYTES;
const CODE_PA = USER_RAM, DATA_PA = USER_RAM + PAGE, CODE_VA = 0x1000_0000, DATA_VA = 0x2000_0000;
/** Offsets in the record (testdata/x87_native.c). */
const MEMORY = 512, CODE = 640, FLAGS_IN = 656, FLAGS_OUT = 640, RAX_OUT = 648;
const RDX = 2;

export class CpuRunner {
  readonly #cpu;
  readonly #space;

  /** `heat`: executions before a block is translated (Infinity = interpreter only). */
  constructor(heat: number) {
    const hooks = { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut: () => {}, random: () => {} };
    this.#cpu = createCpu({ ramBytes: USER_RAM + (1 << 20), heat, hooks });
    this.#space = this.#cpu.createSpace();
    this.#space.map(CODE_VA, CODE_PA, PAGE, RIGHT_R | RIGHT_X);
    this.#space.map(DATA_VA, DATA_PA, PAGE, RIGHT_R | RIGHT_W);
  }

  /** The result in the form of the native harness's record. */
  run({ input, row }: Case): Uint8Array {
    const cpu = this.#cpu, { u8, view } = cpu.ram, output = new Uint8Array(OUT_BYTES), out = new DataView(output.buffer);
    u8.set(input.subarray(CODE, CODE + 16), CODE_PA);
    u8.set([0x0f, 0x0b], CODE_PA + 16); // ud2 ends the run
    cpu.codeChanged(CODE_PA, 18);
    u8.set(input.subarray(MEMORY, MEMORY + 128), DATA_PA);
    cpu.resetState(STATE_AT);
    u8.set(input.subarray(0, 512), IMAGE_AT);
    let at = cpu.locate(STATE_AT);
    cpu.fxrstor(at, IMAGE_AT);
    cpu.setFlags(at, new DataView(input.buffer).getUint32(FLAGS_IN, true));
    view.setBigUint64(at + RIP, BigInt(CODE_VA), true);
    view.setBigUint64(at + GPR + 8 * RDX, BigInt(DATA_VA), true);
    const trap = cpu.run(STATE_AT, this.#space, 50e6);
    if (trap !== Trap.Exception || cpu.vector !== VEC.UD) throw new Error(`${row.name}: trap ${trap}, vector ${cpu.vector}`);
    at = cpu.locate(STATE_AT);
    u8.fill(0, IMAGE_AT, IMAGE_AT + 512);
    cpu.fxsave(at, IMAGE_AT);
    output.set(u8.subarray(IMAGE_AT, IMAGE_AT + 512));
    output.set(u8.subarray(DATA_PA, DATA_PA + 128), MEMORY);
    // RF comes from the UD2 at the end.
    out.setUint32(FLAGS_OUT, cpu.getFlags(at) & ~RF, true);
    output.set(u8.subarray(at + GPR, at + GPR + 8), RAX_OUT);
    return output;
  }
}
