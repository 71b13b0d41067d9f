import { OperationalError } from "../bytes/errors.ts";
import { IMAGE_FLAGS } from "../mounts/defaults.ts";
import { CONGESTION_THRESHOLD, MAX_BACKGROUND, VALID } from "../vfs/kernel-policy.ts";

/** Bytes of the option string in C, with its NUL; the package cuts a longer one without a word. */
const C_STRING = 1024;

/**
 * The mount options as one string for the package's `fsname`, which goes into `-o fsname=…` unchecked. That
 * is the only way to most of them: without it there is no `ro`, no inode numbers, no negative answers kept.
 *
 * `use_ino` shows the image's inode numbers, `kernel_cache` keeps pages from one open to the next,
 * `nonempty` allows what mount(8) allows.
 *
 * @param subtype shown as `fuse.<subtype>`
 * @param options added last, so that they win
 * @throws OperationalError when they are more than fits
 */
export function optionString(source: string, subtype: string, options: readonly string[]): string {
  const all = [
    escapeOption(source),
    `subtype=${subtype}`,
    ...IMAGE_FLAGS,
    "default_permissions",
    ...(process.geteuid?.() === 0 ? ["allow_other"] : []), // others need user_allow_other in /etc/fuse.conf
    "nonempty",
    "use_ino",
    "kernel_cache",
    `entry_timeout=${VALID}`,
    `attr_timeout=${VALID}`,
    `negative_timeout=${VALID}`,
    `max_background=${MAX_BACKGROUND}`,
    `congestion_threshold=${CONGESTION_THRESHOLD}`,
    ...options.map(escapeOption),
  ].join(",");
  const length = Buffer.byteLength(`-ofsname=${all}`);
  if (length < C_STRING) return all;
  throw new OperationalError(
    `mount options of ${length} bytes are too long for fuse-native (most: ${C_STRING - 1}): use --transport direct`,
  );
}

/** @throws OperationalError when the mountpoint's path is longer than the package's buffer, which it cuts off */
export function checkMountpoint(mountpoint: string): void {
  if (Buffer.byteLength(mountpoint) >= C_STRING)
    throw new OperationalError(
      `mountpoint ${mountpoint}: longer than the ${C_STRING - 1} bytes fuse-native takes`,
    );
}

/** libfuse's option parser takes a comma or backslash after a backslash as itself (lib/fuse_opt.c). */
const escapeOption = (text: string): string => text.replace(/[\\,]/g, "\\$&");
