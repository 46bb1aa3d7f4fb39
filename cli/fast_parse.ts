import { noOptions, optionName, type OptionRow, type RawOptions, rowsFor, setOption } from "./option_rows.ts";

/** A command line of `hedra run` in its parts. */
export interface ParsedRun {
  options: RawOptions;
  program: string;
  args: string[];
}

/**
 * Parses the arguments after `run` without loading commander, which takes longer than the rest of the start (about 15 ms). Accepts
 * only command lines without doubt; anything else (help, an unknown option, a missing value) gives undefined, and commander, which
 * is built from the same rows, has the say. Everything after PROGRAM belongs to the guest.
 */
export function fastParse(args: readonly string[]): ParsedRun | undefined {
  const options = noOptions();
  const rows = new Map<string, OptionRow>(rowsFor("run").map((row) => [`--${optionName(row)}`, row]));
  let i = 0;
  for (; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      i++;
      break;
    }
    if (!arg.startsWith("-") || arg === "-") break;
    const equals = arg.indexOf("=");
    const row = rows.get(equals < 0 ? arg : arg.slice(0, equals));
    if (row === undefined) return undefined;
    if (row.value === undefined) {
      if (equals >= 0) return undefined;
      setOption(options, row, undefined);
    } else if (row.optional) {
      setOption(options, row, equals < 0 ? undefined : arg.slice(equals + 1));
    } else {
      const value = equals < 0 ? args[++i] : arg.slice(equals + 1);
      if (value === undefined) return undefined;
      setOption(options, row, value);
    }
  }
  if (i >= args.length) return undefined;
  return { options, program: args[i], args: args.slice(i + 1) };
}
