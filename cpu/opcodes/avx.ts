/** Vector instructions with a VEX prefix: AVX, AVX2, FMA, F16C. */
import type { OpRow } from "../insn.ts";
import { AVX_FP_ROWS } from "./avx_fp.ts";
import { AVX_INTEGER_ROWS } from "./avx_integer.ts";
import { FMA_ROWS } from "./fma.ts";

export const AVX_ROWS: readonly OpRow[] = [...AVX_FP_ROWS, ...AVX_INTEGER_ROWS, ...FMA_ROWS];
