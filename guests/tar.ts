/** Our boot image as a POSIX ustar archive: the same members always give the same bytes. */

export interface Member {
  /** Relative; a directory ends with a slash. */
  name: string;
  mode: number;
  bytes: Uint8Array<ArrayBuffer>;
}

const BLOCK = 512;
const encoder = new TextEncoder();

/** Owner root, date 0. Precondition: names of at most 100 ASCII characters. */
export function packTar(members: readonly Member[]): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const { name, mode, bytes } of members) {
    const body = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
    body.set(bytes);
    blocks.push(header(name, mode, bytes.length), body);
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  const image = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    image.set(block, at);
    at += block.length;
  }
  return image;
}

/** POSIX.1-1988, "ustar Interchange Format". */
function header(name: string, mode: number, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(encoder.encode(text), at);
  const octal = (at: number, value: number, digits: number) => put(at, value.toString(8).padStart(digits, "0"));
  put(0, name);
  octal(100, mode, 7);
  octal(108, 0, 7); // uid
  octal(116, 0, 7); // gid
  octal(124, size, 11);
  octal(136, 0, 11); // mtime
  put(148, " ".repeat(8)); // the checksum counts as blanks
  put(156, name.endsWith("/") ? "5" : "0");
  put(257, "ustar\0" + "00");
  put(265, "root");
  put(297, "root");
  octal(148, block.reduce((sum, byte) => sum + byte, 0), 6);
  block[154] = 0;
  return block;
}

/** The members of an archive that packTar() made. */
export function unpackTar(image: Uint8Array<ArrayBuffer>): Member[] {
  const members: Member[] = [];
  const text = (at: number, length: number) => new TextDecoder().decode(image.subarray(at, at + length)).replace(/\0.*$/s, "");
  for (let at = 0; image[at] !== 0 && at < image.length;) {
    const size = parseInt(text(at + 124, 12), 8);
    members.push({
      name: text(at, 100),
      mode: parseInt(text(at + 100, 8), 8),
      bytes: image.slice(at + BLOCK, at + BLOCK + size),
    });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return members;
}
