/**
 * SSE and SSE2 floating point: moves, arithmetic, comparison, conversion. Where register and memory forms differ, the same encoding has two
 * rows (M/R/U/N operands say which). Source: Intel SDM vol. 2, appendix A.
 */
import type { OpRow } from "../insn.ts";
import { fourForms, packedForms, rows, STATIC } from "./sse_rows.ts";

export const SSE_FP_ROWS: readonly OpRow[] = [
  // ---- moves
  ...rows("sse", [
    ["NP 0F 10", "movups", "Vps,Wps"],
    ["NP 0F 11", "movups", "Wps,Vps"],
    ["F3 0F 10", "movss", "Vss,Wss"],
    ["F3 0F 11", "movss", "Wss,Vss"],
    ["NP 0F 12", "movlps", "Vq,Mq"],
    ["NP 0F 12", "movhlps", "Vdq,Udq"],
    ["NP 0F 13", "movlps", "Mq,Vq"],
    ["NP 0F 16", "movhps", "Vdq,Mq"],
    ["NP 0F 16", "movlhps", "Vdq,Udq"],
    ["NP 0F 17", "movhps", "Mq,Vdq"],
    ["NP 0F 28", "movaps", "Vps,Wps"],
    ["NP 0F 29", "movaps", "Wps,Vps"],
    ["NP 0F 2B", "movntps", "Mdq,Vps"],
    ["NP 0F 50", "movmskps", "Gd,Ups"],
  ]),
  ...rows("sse2", [
    ["66 0F 10", "movupd", "Vpd,Wpd"],
    ["66 0F 11", "movupd", "Wpd,Vpd"],
    ["F2 0F 10", "movsd", "Vsd,Wsd"],
    ["F2 0F 11", "movsd", "Wsd,Vsd"],
    ["66 0F 12", "movlpd", "Vq,Mq"],
    ["66 0F 13", "movlpd", "Mq,Vq"],
    ["66 0F 16", "movhpd", "Vdq,Mq"],
    ["66 0F 17", "movhpd", "Mq,Vdq"],
    ["66 0F 28", "movapd", "Vpd,Wpd"],
    ["66 0F 29", "movapd", "Wpd,Vpd"],
    ["66 0F 2B", "movntpd", "Mdq,Vpd"],
    ["66 0F 50", "movmskpd", "Gd,Upd"],
  ]),

  // ---- arithmetic and logic
  ...fourForms("0F 51", "sqrt"),
  ...rows("sse", [
    ["NP 0F 52", "rsqrtps", "Vps,Wps", { approximate: true }],
    ["F3 0F 52", "rsqrtss", "Vss,Wss", { approximate: true }],
    ["NP 0F 53", "rcpps", "Vps,Wps", { approximate: true }],
    ["F3 0F 53", "rcpss", "Vss,Wss", { approximate: true }],
  ]),
  ...packedForms("0F 54", "and"),
  ...packedForms("0F 55", "andn"),
  ...packedForms("0F 56", "or"),
  ...packedForms("0F 57", "xor"),
  ...fourForms("0F 58", "add"),
  ...fourForms("0F 59", "mul"),
  ...fourForms("0F 5C", "sub"),
  ...fourForms("0F 5D", "min"),
  ...fourForms("0F 5E", "div"),
  ...fourForms("0F 5F", "max"),

  // ---- comparison and shuffling
  ...fourForms("0F C2", "cmp", ",Ib", STATIC),
  ...rows("sse", [
    ["NP 0F 2E", "ucomiss", "Vss,Wss"],
    ["NP 0F 2F", "comiss", "Vss,Wss"],
  ]),
  ...rows("sse2", [
    ["66 0F 2E", "ucomisd", "Vsd,Wsd"],
    ["66 0F 2F", "comisd", "Vsd,Wsd"],
  ]),
  ...packedForms("0F 14", "unpckl"),
  ...packedForms("0F 15", "unpckh"),
  ...packedForms("0F C6", "shuf", ",Ib", STATIC),

  // ---- conversion
  ...rows("sse", [
    ["NP 0F 2A", "cvtpi2ps", "Vps,Qq"],
    ["F3 0F 2A", "cvtsi2ss", "Vss,Ey"],
    ["NP 0F 2C", "cvttps2pi", "Pq,Wq"],
    ["F3 0F 2C", "cvttss2si", "Gy,Wss"],
    ["NP 0F 2D", "cvtps2pi", "Pq,Wq"],
    ["F3 0F 2D", "cvtss2si", "Gy,Wss"],
  ]),
  ...rows("sse2", [
    ["66 0F 2A", "cvtpi2pd", "Vpd,Qq"],
    ["F2 0F 2A", "cvtsi2sd", "Vsd,Ey"],
    ["66 0F 2C", "cvttpd2pi", "Pq,Wpd"],
    ["F2 0F 2C", "cvttsd2si", "Gy,Wsd"],
    ["66 0F 2D", "cvtpd2pi", "Pq,Wpd"],
    ["F2 0F 2D", "cvtsd2si", "Gy,Wsd"],
    ["NP 0F 5A", "cvtps2pd", "Vpd,Wq"],
    ["66 0F 5A", "cvtpd2ps", "Vps,Wpd"],
    ["F3 0F 5A", "cvtss2sd", "Vsd,Wss"],
    ["F2 0F 5A", "cvtsd2ss", "Vss,Wsd"],
    ["NP 0F 5B", "cvtdq2ps", "Vps,Wdq"],
    ["66 0F 5B", "cvtps2dq", "Vdq,Wps"],
    ["F3 0F 5B", "cvttps2dq", "Vdq,Wps"],
    ["66 0F E6", "cvttpd2dq", "Vdq,Wpd"],
    ["F3 0F E6", "cvtdq2pd", "Vpd,Wq"],
    ["F2 0F E6", "cvtpd2dq", "Vdq,Wpd"],
  ]),

  ...rows("sse2", [["NP 0F C3", "movnti", "My,Gy"]]),

  // ---- SSE3
  ...rows("sse3", [
    ["F3 0F 12", "movsldup", "Vps,Wps"],
    ["F2 0F 12", "movddup", "Vpd,Wq"],
    ["F3 0F 16", "movshdup", "Vps,Wps"],
    ["66 0F 7C", "haddpd", "Vpd,Wpd"],
    ["F2 0F 7C", "haddps", "Vps,Wps"],
    ["66 0F 7D", "hsubpd", "Vpd,Wpd"],
    ["F2 0F 7D", "hsubps", "Vps,Wps"],
    ["66 0F D0", "addsubpd", "Vpd,Wpd"],
    ["F2 0F D0", "addsubps", "Vps,Wps"],
    ["F2 0F F0", "lddqu", "Vdq,Mdq"],
  ]),
];
