/** Path of the boot image: a tar archive with all guests below bin/. */
export const IMAGE = `${import.meta.dirname}/boot.tar`;
/** Another one, with the manifest of services and their clients. */
export const SERVICE_IMAGE = `${import.meta.dirname}/services.tar`;
