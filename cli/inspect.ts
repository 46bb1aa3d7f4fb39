import type { RawOptions } from "./options.ts";
export function runInspect(
  _view: "ps" | "caps",
  _options: RawOptions,
  _program: string | undefined,
  _args: string[],
): Promise<number> {
  return Promise.resolve(0);
}
