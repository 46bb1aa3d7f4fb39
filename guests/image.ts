/** Path of the boot image: a tar archive with all guests below bin/. */
export const IMAGE = new URL("boot.tar", import.meta.url).pathname;
/** Another one, with the manifest of services and their clients. */
export const SERVICE_IMAGE = new URL("services.tar", import.meta.url).pathname;
