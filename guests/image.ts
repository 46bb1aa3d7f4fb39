/** Path of the boot image: a tar archive with all guests below bin/. */
export const IMAGE = new URL("boot.tar", import.meta.url).pathname;
