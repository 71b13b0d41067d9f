/**
 * What every mount gets that this program makes, whichever driver serves it and whatever is asked for later: an image may
 * come from anyone, so its setuid bits and device nodes mean nothing, and reading it writes no access times.
 */
export const SAFE_FLAGS = ["nosuid", "nodev", "noatime"] as const;

/** Of an image, which is never written to. */
export const IMAGE_FLAGS = ["ro", ...SAFE_FLAGS] as const;
