/** Limits of Linux; bytes, without the NUL. Source: include/uapi/linux/limits.h, include/linux/namei.h, unix(7). */
/** Of a name in a directory (NAME_MAX). */
export const MAX_NAME = 255;
/** Of a path and of a symlink's target (PATH_MAX). */
export const MAX_PATH = 4095;
/** Symlinks on the way to one file (MAXSYMLINKS). */
export const MAX_SYMLINKS = 40;
/** Of a unix socket's path (`sun_path`): Node cuts a longer one off and says nothing. */
export const MAX_SOCKET_PATH = 107;

/** Of a JSON document of an image, bytes; its nesting and its values are counted, too (bounded-json). */
export const MAX_DOCUMENT = 8 << 20;
