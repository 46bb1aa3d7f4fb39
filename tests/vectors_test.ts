/** Programs that use SSE and AVX: the floating-point environment, wide registers, what the C library chooses by CPUID. */
import { compile, expectSameAsNative, testWith } from "./tools.ts";

testWith(
  ["gcc"],
  "rounding, sticky flags, traps and denormal modes of SSE arithmetic are those of the processor",
  async () => expectSameAsNative(await compile("sse_environment.c", "gcc", ["-O1", "-static"])),
);
testWith(
  ["gcc"],
  "the same holds for code with AVX2 and FMA",
  async () => expectSameAsNative(await compile("sse_environment.c", "gcc", ["-O1", "-mavx2", "-mfma", "-static"])),
);
testWith(
  ["gcc"],
  "YMM registers survive signals and fork, and string and mathematical functions with AVX2 give the native output",
  async () => expectSameAsNative(await compile("wide_vectors.c", "gcc", ["-O1", "-mavx2", "-mfma", "-static"])),
);
