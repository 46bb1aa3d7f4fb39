/**
 * Messages between `FsClient` and the file service. A request is UTCB words: word 0 = operation, words 1..5 = arguments, words 6 and 7 =
 * byte lengths of up to two strings, which follow from word 8 on without padding (STAGED: the string was sent in pieces before).
 * Reply: word 0 = result (>= 0, or a negative Linux errno), further words as stated.
 */
export const FS_OP = {
  OPEN: 0,
  CLOSE: 1,
  DUP: 2,
  STAT: 3,
  FSTAT: 4,
  READ: 5,
  WRITE: 6,
  SIZE: 7,
  TRUNCATE: 8,
  SYNC: 9,
  LIST: 10,
  MKDIR: 11,
  MKNOD: 12,
  UNLINK: 13,
  SYMLINK: 14,
  READLINK: 15,
  LINK: 16,
  RENAME: 17,
  CHMOD: 18,
  CHOWN: 19,
  UTIME: 20,
  PATH_OF: 21,
  STATFS: 22,
  /** (index 0 or 1, 1 = first piece): appends the bytes of the string to a staged string. */
  STAGE: 23,
  /**
   * (uid, gid, capabilities (`CAP` bits), groups in all, index of the first one here; the groups from word 8 on, at most
   * MAX_GROUPS_AT_ONCE). Requests from here on are this user's; the session begins as the superuser.
   */
  IDENTITY: 24,
  /** (handle, offset, 1 = hole): the next data or hole, as for lseek(). */
  SEEK: 26,
  /** (handle, offset, length, 1 = punch a hole | 2 = keep the size): as for fallocate(). */
  ALLOCATE: 27,
  /**
   * (2 * directory + (1 = follow), address, bytes, flags; path, name): extended attributes, as getxattr() and the others. Values and lists
   * go through the client's window.
   */
  GET_ATTRIBUTE: 28,
  SET_ATTRIBUTE: 29,
  LIST_ATTRIBUTES: 30,
  REMOVE_ATTRIBUTE: 31,
  /** (handle of a directory): requests from here on have it as their root. */
  ROOT: 32,
  /** (directory, MAY_* bits, 1 = follow; string): 0 or -errno. */
  ACCESS: 25,
} as const;

export const FIRST_LENGTH = 6;
export const SECOND_LENGTH = 7;
export const TEXT_WORD = 8;
export const STAGED = -1;
/** Bytes of strings that fit into one message: 508 words less the fixed ones. */
export const MAX_TEXT = (508 - TEXT_WORD) * 8;
/** Bytes of text in one reply, after its first word: what is longer is asked for in parts, by byte offset in word 2. */
export const MAX_REPLY_TEXT = 507 * 8;
/** utime: this time is left alone. */
export const TIME_OMIT = -1;
/** utime: the present time, by the service's clock. Both so need no more than the right to write. */
export const TIME_NOW = -2;
export const MAX_GROUPS_AT_ONCE = 500 - 8;

/**
 * Stat reply after the result: u32s, named by their index in the data area. The 64-bit ones are two's complement, low half first.
 */
export const STAT_AT = {
  DEV: 2,
  MODE: 3,
  NLINK: 4,
  UID: 5,
  GID: 6,
  RDEV: 7,
  BLKSIZE: 8,
  ATIME_NS: 9,
  MTIME_NS: 10,
  CTIME_NS: 11,
  INO: 12,
  SIZE: 14,
  BLOCKS: 16,
  ATIME: 18,
  MTIME: 20,
  CTIME: 22,
} as const;
/** Words of the reply, the result included. */
export const STAT_WORDS = 12;

/** The data area as u32s, for replies that are too hot for word-wise access. Remembers the view of the UTCB it saw last. */
export class DataWords {
  private bytes: Uint8Array<ArrayBuffer> | undefined;
  private words: Uint32Array<ArrayBuffer> = new Uint32Array(0);

  of(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    }
    return this.words;
  }
}

const HALF = 2 ** 32;
/** Exact for |value| < 2^53. */
export function putWide(words: Uint32Array, at: number, value: number): void {
  words[at] = value;
  words[at + 1] = value >= 0 && value < HALF ? 0 : Math.floor(value / HALF);
}
export function getWide(words: Uint32Array, at: number): number {
  const high = words[at + 1] | 0;
  return high === 0 ? words[at] : high * HALF + words[at];
}

/** List reply: word 0 = entries; from word 1 on, for each: u64 inode, u8 type, u8 name length, name. */
export const LIST_BYTE = 8;

/**
 * Administration, for roottask only (portal FS_ADMIN of the service). Word 0 = operation.
 */
export const FS_ADMIN_OP = {
  /** (pool address, pool bytes): contents of files live there. Must come first. */
  START: 0,
  /** (source kind, a, b, 1 = overlay; string = guest path). -> 0 or -errno. */
  MOUNT: 1,
  /** (window address, window bytes) -> session number n; its portal stands at HOST_PD.FS + n of the service's PD. */
  ATTACH: 2,
  /** (session): closes what it has open. */
  DETACH: 3,
} as const;

export const MOUNT_KIND = {
  MEMORY: 0,
  /** a, b = address and bytes of the image. */
  TAR: 1,
  /** a = index in the service's list of granted directories. */
  HOST: 2,
} as const;

/** Selectors in the file service's PD: sessions 0..62 from HOST_PD.FS on, then this one. */
export const MAX_SESSIONS = 63;
