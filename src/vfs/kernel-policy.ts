/* What both transports tell the kernel, whatever is mounted. */

/** The image never changes, so what the kernel learns may stay for a year; a remount or unmount drops it. Seconds. */
export const VALID = 31_536_000;

/**
 * `st_blksize`: programs read in pieces of it. The image's own block size (512) would make them read eight
 * times as often, and says nothing about a tar in the page cache.
 */
export const BLKSIZE = 4096;

/** Requests that no caller waits for, such as readahead: so many at once, and from so many on the kernel slows down. */
export const MAX_BACKGROUND = 64;
export const CONGESTION_THRESHOLD = 48;
