/** A relative path begins in the working directory. */
export const AT_FDCWD = -100;

/** A path as the kernel reads it. @param path without a NUL */
export const pathArgument = (path: string | Uint8Array): string | Uint8Array =>
  typeof path === "string" ? path : Buffer.concat([path, Buffer.of(0)]);
