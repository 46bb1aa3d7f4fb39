/**
 * File names between bytes and strings. Linux names are bytes; here they are strings: UTF-8, and a byte b that is not part of valid UTF-8
 * becomes the lone surrogate U+DC00 + b, so that every byte sequence survives the round trip.
 */

/** Writes `text` at `bytes[at...]`; returns the number of bytes, or -1 when it does not fit. */
export function encodeText(text: string, bytes: Uint8Array, at: number): number {
  let to = at;
  const end = bytes.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      if (to >= end) return -1;
      bytes[to++] = unit;
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      if (to >= end) return -1;
      bytes[to++] = unit & 0xff;
    } else if (unit < 0x800) {
      if (to + 2 > end) return -1;
      bytes[to++] = 0xc0 | unit >> 6;
      bytes[to++] = 0x80 | unit & 0x3f;
    } else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      if (to + 4 > end) return -1;
      const point = 0x10000 + ((unit & 0x3ff) << 10 | text.charCodeAt(++i) & 0x3ff);
      bytes[to++] = 0xf0 | point >> 18;
      bytes[to++] = 0x80 | point >> 12 & 0x3f;
      bytes[to++] = 0x80 | point >> 6 & 0x3f;
      bytes[to++] = 0x80 | point & 0x3f;
    } else {
      if (to + 3 > end) return -1;
      bytes[to++] = 0xe0 | unit >> 12;
      bytes[to++] = 0x80 | unit >> 6 & 0x3f;
      bytes[to++] = 0x80 | unit & 0x3f;
    }
  }
  return to - at;
}

/** Number of bytes that `encodeText` writes. */
export function textBytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80 || unit >= 0xdc80 && unit <= 0xdcff) continue;
    if (unit < 0x800) bytes++;
    // A surrogate pair is two units and four bytes, so both halves count one extra.
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) bytes += 2, i++;
    else bytes += 2;
  }
  return bytes;
}

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

export function decodeText(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  const end = at + length;
  for (let i = at; i < end; i++) {
    const byte = bytes[i];
    if (byte >= 0x80) return text + decodeMixed(bytes, i, end);
    text += ASCII[byte];
  }
  return text;
}

/** Length of the valid UTF-8 sequence at `i` (Unicode 15, table 3-7), or 0. */
function sequenceLength(bytes: Uint8Array, i: number, end: number): number {
  const first = bytes[i];
  const trail = (offset: number, low: number, high: number) =>
    i + offset < end && bytes[i + offset] >= low && bytes[i + offset] <= high;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return trail(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    return trail(1, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf) && trail(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    return trail(1, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf) && trail(2, 0x80, 0xbf) && trail(3, 0x80, 0xbf)
      ? 4
      : 0;
  }
  return 0;
}

function decodeMixed(bytes: Uint8Array, at: number, end: number): string {
  let text = "";
  for (let i = at; i < end;) {
    switch (sequenceLength(bytes, i, end)) {
      case 1:
        text += ASCII[bytes[i++]];
        break;
      case 2:
        text += String.fromCharCode((bytes[i] & 0x1f) << 6 | bytes[i + 1] & 0x3f);
        i += 2;
        break;
      case 3:
        text += String.fromCharCode((bytes[i] & 0xf) << 12 | (bytes[i + 1] & 0x3f) << 6 | bytes[i + 2] & 0x3f);
        i += 3;
        break;
      case 4:
        text += String.fromCodePoint(
          (bytes[i] & 7) << 18 | (bytes[i + 1] & 0x3f) << 12 | (bytes[i + 2] & 0x3f) << 6 | bytes[i + 3] & 0x3f,
        );
        i += 4;
        break;
      default:
        text += String.fromCharCode(0xdc00 | bytes[i++]);
    }
  }
  return text;
}
