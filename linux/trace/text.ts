import { decodeText, encodeText, textBytes } from "../../fs/text.ts";

/** Bytes of a text. Names that are not UTF-8 survive the way through strings (fs/text.ts). */
export function textToBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(textBytes(text));
  encodeText(text, bytes, 0);
  return bytes;
}

export function bytesToText(bytes: Uint8Array<ArrayBuffer>, at = 0, length = bytes.length - at): string {
  return decodeText(bytes, at, length);
}
