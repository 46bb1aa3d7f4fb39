/** Requests of <asm-generic/ioctls.h>, <asm-generic/termbits.h>. */
// deno-fmt-ignore
export const IOCTL = {
  TCGETS: 0x5401, TCSETS: 0x5402, TCSETSW: 0x5403, TCSETSF: 0x5404, TCSBRK: 0x5409, TCXONC: 0x540a, TCFLSH: 0x540b, TIOCEXCL: 0x540c, TIOCNXCL: 0x540d, TIOCSCTTY: 0x540e,
  TIOCGPGRP: 0x540f, TIOCSPGRP: 0x5410, TIOCOUTQ: 0x5411, TIOCGWINSZ: 0x5413, TIOCSWINSZ: 0x5414, FIONREAD: 0x541b, FIONBIO: 0x5421,
  TIOCNOTTY: 0x5422, TIOCPKT: 0x5420, TIOCSTI: 0x5412, TIOCGPTPEER: 0x5441, TIOCGPTLCK: 0x8004_5439, TIOCGSID: 0x5429, TCGETS2: 0x802c_542a, TCSETS2: 0x402c_542b, TCSETSW2: 0x402c_542c, TCSETSF2: 0x402c_542d, TIOCGPTN: 0x8004_5430, TIOCSPTLCK: 0x4004_5431, FIONCLEX: 0x5450,
  FIOCLEX: 0x5451, FIOASYNC: 0x5452, FICLONE: 0x4004_9409, FS_IOC_GETFLAGS: 0x8008_6601, FS_IOC_FIEMAP: 0xc020_660b, BLKGETSIZE64: 0x8008_1272,
} as const;

/** struct termios of the kernel: four u32 flags, c_line, 19 control characters. termios2 has two speeds behind them. */
export const TERMIOS_BYTES = 36, TERMIOS2_BYTES = 44;
export const C_IFLAG = 0, C_OFLAG = 4, C_CFLAG = 8, C_LFLAG = 12, C_CC = 17;
/** c_iflag, c_oflag, c_lflag bits: asm-generic/termbits.h. */
export const INLCR = 0o100, IGNCR = 0o200, ICRNL = 0o400, IXON = 0o2000;
export const OPOST = 1, ONLCR = 4, OCRNL = 0o10;
export const ISIG = 1, ICANON = 2, ECHO = 0o10, ECHOE = 0o20, ECHOK = 0o40, ECHONL = 0o100, NOFLSH = 0o200, TOSTOP = 0o400;
export const ECHOCTL = 0o1000, ECHOKE = 0o4000, IEXTEN = 0o100000;
export const VINTR = 0,
  VQUIT = 1,
  VERASE = 2,
  VKILL = 3,
  VEOF = 4,
  VTIME = 5,
  VMIN = 6,
  VSUSP = 10,
  VEOL = 11,
  VWERASE = 14,
  VLNEXT = 15;
export const VEOL2 = 16;
const CONTROL_CHARACTERS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0];

/** tty_std_termios of drivers/tty/tty_io.c: 38400 baud, CS8, CREAD, HUPCL. */
export function standardTermios(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TERMIOS_BYTES);
  const data = new DataView(bytes.buffer);
  data.setUint32(C_IFLAG, ICRNL | IXON, true);
  data.setUint32(C_OFLAG, OPOST | ONLCR, true);
  data.setUint32(C_CFLAG, 0o17 | 0o60 | 0o200, true);
  data.setUint32(C_LFLAG, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN, true);
  bytes.set(CONTROL_CHARACTERS, C_CC);
  return bytes;
}
