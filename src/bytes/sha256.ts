/** A sha256 in hexadecimal: what names blobs by their content. */
export const SHA256 = /^[0-9a-f]{64}$/;
