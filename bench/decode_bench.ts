/** The instruction decoder on real code: `deno bench -A bench/decode_bench.ts`. */
import { decode } from "../cpu/decode.ts";
import { committedGuests } from "../guests/build.ts";

const image = committedGuests().get("bin/matrix")?.bytes ?? new Uint8Array();
const header = new DataView(image.buffer, image.byteOffset);

/** The executable PT_LOAD segment. */
function codeSegment(): { offset: number; size: number } {
  const table = header.getUint32(32, true), count = header.getUint16(56, true);
  for (let at = table; at < table + count * 56; at += 56) {
    if (header.getUint32(at, true) === 1 && header.getUint32(at + 4, true) & 1) {
      return { offset: header.getUint32(at + 8, true), size: header.getUint32(at + 32, true) };
    }
  }
  throw new Error("matrix has no code");
}

const { offset, size } = codeSegment();

Deno.bench(`decode ${size} bytes of code`, () => {
  for (let at = offset; at < offset + size;) {
    const insn = decode(image, at, offset + size - at, at);
    at += Math.max(1, insn.length);
  }
});
