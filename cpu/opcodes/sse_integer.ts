/** MMX and the integer half of SSE2: one row per register kind. Source: Intel SDM vol. 2, appendix A. */
import type { OpRow } from "../insn.ts";
import { mmxAndXmm, rows, STATIC } from "./sse_rows.ts";

/** Shift by an 8-bit count of a register operand. */
const shift = (enc: string, name: string): OpRow[] => [
  ...rows("mmx", [[`NP ${enc}`, name, "Nq,Ib"]]),
  ...rows("sse2", [[`66 ${enc}`, name, "Udq,Ib"]]),
];
/** Interleave of the low halves: the MMX form reads only 4 bytes of memory. */
const unpackLow = (enc: string, name: string): OpRow[] => [
  ...rows("mmx", [[`NP ${enc}`, name, "Pq,Qd"]]),
  ...rows("sse2", [[`66 ${enc}`, name, "Vdq,Wdq"]]),
];

export const SSE_INTEGER_ROWS: readonly OpRow[] = [
  // ---- moves
  ...rows("mmx", [
    ["NP 0F 6E", "movd", "Pq,Ey"],
    ["NP 0F 7E", "movd", "Ey,Pq"],
    ["NP 0F 6F", "movq", "Pq,Qq"],
    ["NP 0F 7F", "movq", "Qq,Pq"],
  ]),
  ...rows("sse", [
    ["NP 0F E7", "movntq", "Mq,Pq"],
    ["NP 0F F7", "maskmovq", "Pq,Nq"],
    ["NP 0F D7", "pmovmskb", "Gd,Nq"],
    ["NP 0F C4", "pinsrw", "Pq,Rd,Ib", STATIC],
    ["NP 0F C4", "pinsrw", "Pq,Mw,Ib", STATIC],
    ["NP 0F C5", "pextrw", "Gd,Nq,Ib", STATIC],
    ["NP 0F 70", "pshufw", "Pq,Qq,Ib", STATIC],
  ]),
  ...rows("sse2", [
    ["66 0F 6E", "movd", "Vdq,Ey"],
    ["66 0F 7E", "movd", "Ey,Vdq"],
    ["F3 0F 7E", "movq", "Vq,Wq"],
    ["66 0F D6", "movq", "Wq,Vq"],
    ["66 0F 6F", "movdqa", "Vdq,Wdq"],
    ["66 0F 7F", "movdqa", "Wdq,Vdq"],
    ["F3 0F 6F", "movdqu", "Vdq,Wdq"],
    ["F3 0F 7F", "movdqu", "Wdq,Vdq"],
    ["F2 0F D6", "movdq2q", "Pq,Uq"],
    ["F3 0F D6", "movq2dq", "Vdq,Nq"],
    ["66 0F E7", "movntdq", "Mdq,Vdq"],
    ["66 0F F7", "maskmovdqu", "Vdq,Udq"],
    ["66 0F D7", "pmovmskb", "Gd,Udq"],
    ["66 0F C4", "pinsrw", "Vdq,Rd,Ib", STATIC],
    ["66 0F C4", "pinsrw", "Vdq,Mw,Ib", STATIC],
    ["66 0F C5", "pextrw", "Gd,Udq,Ib", STATIC],
    ["66 0F 70", "pshufd", "Vdq,Wdq,Ib", STATIC],
    ["F3 0F 70", "pshufhw", "Vdq,Wdq,Ib", STATIC],
    ["F2 0F 70", "pshuflw", "Vdq,Wdq,Ib", STATIC],
  ]),

  // ---- pack, unpack
  ...unpackLow("0F 60", "punpcklbw"),
  ...unpackLow("0F 61", "punpcklwd"),
  ...unpackLow("0F 62", "punpckldq"),
  ...mmxAndXmm("0F 63", "packsswb"),
  ...mmxAndXmm("0F 67", "packuswb"),
  ...mmxAndXmm("0F 68", "punpckhbw"),
  ...mmxAndXmm("0F 69", "punpckhwd"),
  ...mmxAndXmm("0F 6A", "punpckhdq"),
  ...mmxAndXmm("0F 6B", "packssdw"),
  ...rows("sse2", [
    ["66 0F 6C", "punpcklqdq", "Vdq,Wdq"],
    ["66 0F 6D", "punpckhqdq", "Vdq,Wdq"],
  ]),

  // ---- shifts
  ...shift("0F 71 /2", "psrlw"),
  ...shift("0F 71 /4", "psraw"),
  ...shift("0F 71 /6", "psllw"),
  ...shift("0F 72 /2", "psrld"),
  ...shift("0F 72 /4", "psrad"),
  ...shift("0F 72 /6", "pslld"),
  ...shift("0F 73 /2", "psrlq"),
  ...shift("0F 73 /6", "psllq"),
  ...rows("sse2", [
    ["66 0F 73 /3", "psrldq", "Udq,Ib", STATIC],
    ["66 0F 73 /7", "pslldq", "Udq,Ib", STATIC],
  ]),
  ...mmxAndXmm("0F D1", "psrlw"),
  ...mmxAndXmm("0F D2", "psrld"),
  ...mmxAndXmm("0F D3", "psrlq"),
  ...mmxAndXmm("0F E1", "psraw"),
  ...mmxAndXmm("0F E2", "psrad"),
  ...mmxAndXmm("0F F1", "psllw"),
  ...mmxAndXmm("0F F2", "pslld"),
  ...mmxAndXmm("0F F3", "psllq"),

  // ---- comparison
  ...mmxAndXmm("0F 64", "pcmpgtb"),
  ...mmxAndXmm("0F 65", "pcmpgtw"),
  ...mmxAndXmm("0F 66", "pcmpgtd"),
  ...mmxAndXmm("0F 74", "pcmpeqb"),
  ...mmxAndXmm("0F 75", "pcmpeqw"),
  ...mmxAndXmm("0F 76", "pcmpeqd"),

  // ---- arithmetic and logic
  ...mmxAndXmm("0F D4", "paddq", "sse2"),
  ...mmxAndXmm("0F D5", "pmullw"),
  ...mmxAndXmm("0F D8", "psubusb"),
  ...mmxAndXmm("0F D9", "psubusw"),
  ...mmxAndXmm("0F DA", "pminub", "sse"),
  ...mmxAndXmm("0F DB", "pand"),
  ...mmxAndXmm("0F DC", "paddusb"),
  ...mmxAndXmm("0F DD", "paddusw"),
  ...mmxAndXmm("0F DE", "pmaxub", "sse"),
  ...mmxAndXmm("0F DF", "pandn"),
  ...mmxAndXmm("0F E0", "pavgb", "sse"),
  ...mmxAndXmm("0F E3", "pavgw", "sse"),
  ...mmxAndXmm("0F E4", "pmulhuw", "sse"),
  ...mmxAndXmm("0F E5", "pmulhw"),
  ...mmxAndXmm("0F E8", "psubsb"),
  ...mmxAndXmm("0F E9", "psubsw"),
  ...mmxAndXmm("0F EA", "pminsw", "sse"),
  ...mmxAndXmm("0F EB", "por"),
  ...mmxAndXmm("0F EC", "paddsb"),
  ...mmxAndXmm("0F ED", "paddsw"),
  ...mmxAndXmm("0F EE", "pmaxsw", "sse"),
  ...mmxAndXmm("0F EF", "pxor"),
  ...mmxAndXmm("0F F4", "pmuludq", "sse2"),
  ...mmxAndXmm("0F F5", "pmaddwd"),
  ...mmxAndXmm("0F F6", "psadbw", "sse"),
  ...mmxAndXmm("0F F8", "psubb"),
  ...mmxAndXmm("0F F9", "psubw"),
  ...mmxAndXmm("0F FA", "psubd"),
  ...mmxAndXmm("0F FB", "psubq", "sse2"),
  ...mmxAndXmm("0F FC", "paddb"),
  ...mmxAndXmm("0F FD", "paddw"),
  ...mmxAndXmm("0F FE", "paddd"),
];
