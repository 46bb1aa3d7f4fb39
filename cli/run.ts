import { type RawOptions, validate } from "./options.ts";
import { openHostProgram } from "./target.ts";

export function runProgram(raw: RawOptions, program: string, _args: string[]): Promise<number> {
  validate(raw);
  const target = openHostProgram(program);
  return Promise.resolve(target.bytes.length > 0 ? 0 : 1);
}
