import { bytesToText } from "../trace/text.ts";
import { E } from "../abi/errno.ts";

/** Bytes of a file that decide how it is run: BINPRM_BUF_SIZE. */
export const PREFIX_BYTES = 256;

const isBlank = (c: number): boolean => c === 0x20 || c === 0x09;

/**
 * The interpreter line of a script, as fs/binfmt_script.c reads it: `#!`, blanks, path, and the rest of the line as one argument.
 * -ENOEXEC when `head` is no script or the path may be cut off.
 */
export function scriptLine(head: Uint8Array<ArrayBuffer>): { path: string; argument: string | undefined } | number {
  if (head[0] !== 0x23 || head[1] !== 0x21) return -E.ENOEXEC;
  let end = head.subarray(0, PREFIX_BYTES).indexOf(0x0a);
  const cut = end < 0;
  if (cut) {
    end = Math.min(head.length, PREFIX_BYTES - 1);
    const zero = head.indexOf(0);
    if (zero >= 0 && zero < end) end = zero;
    let first = 2;
    while (first < end && isBlank(head[first])) first++;
    if (first === end) return -E.ENOEXEC;
    // Without a blank after the path, the path may have been cut.
    let complete = head.length < PREFIX_BYTES || zero >= 0;
    for (let i = first; i < end; i++) if (isBlank(head[i])) complete = true;
    if (!complete) return -E.ENOEXEC;
  }
  let start = 2;
  while (start < end && isBlank(head[start])) start++;
  while (end > start && isBlank(head[end - 1])) end--;
  if (start >= end) return -E.ENOEXEC;
  let pathEnd = start;
  while (pathEnd < end && !isBlank(head[pathEnd]) && head[pathEnd] !== 0) pathEnd++;
  let argument = pathEnd;
  while (argument < end && isBlank(head[argument])) argument++;
  const text = (from: number, to: number) => bytesToText(head, from, to - from);
  return { path: text(start, pathEnd), argument: argument < end ? text(argument, end) : undefined };
}
