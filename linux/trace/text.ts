const ENCODER = new TextEncoder();

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}
