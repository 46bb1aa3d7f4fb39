/** Programs that use the x87: long double arithmetic and its environment. */
import { compile, expectSameAsNative, testWith } from "./tools.ts";

testWith(
  ["gcc"],
  "rounding, precision, exception flags and trapped exceptions of long double are those of the processor",
  async () => expectSameAsNative(await compile("float_environment.c", "gcc")),
);
testWith(
  ["gcc"],
  "long double arithmetic, mathematical functions and text in glibc give the native output",
  async () => expectSameAsNative(await compile("long_double.c", "gcc")),
);
testWith(
  ["musl-gcc"],
  "long double arithmetic, mathematical functions and text in musl give the native output",
  async () => expectSameAsNative(await compile("long_double.c", "musl-gcc")),
);
