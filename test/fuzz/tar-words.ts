/** Fields of a ustar header, GNU's and star's among them. Source: POSIX pax, GNU tar `tar.h`. */
export const NUMBERS: readonly (readonly [at: number, width: number])[] = [
  ...([
    [100, 8],
    [108, 8],
    [116, 8],
    [124, 12],
    [136, 12],
    [329, 8],
    [337, 8],
  ] as const),
  ...([
    [386, 12],
    [398, 12],
    [410, 12],
    [422, 12],
    [483, 12],
  ] as const), // sparse map and real size of GNU tar
];
export const TEXTS: readonly (readonly [at: number, width: number])[] = [
  [0, 100],
  [157, 100],
  [345, 155],
];
export const TYPES = "\x001234567DSLKxgXVMNA";
export const MAGICS = ["ustar\x0000", "ustar  \0", "\0\0\0\0\0\0\0\0"];
export const NAMES = [
  ...[
    "",
    "/",
    ".",
    "..",
    "./",
    "../x",
    "/abs",
    "a//b",
    "a/./b",
    "a/../../b",
    "d",
    "d/",
    "d/file",
    "symlink/x",
  ],
  ...[
    ".wh.d",
    "d/.wh.file",
    ".wh..wh..opq",
    "d/.wh..wh..opq",
    ".wh.",
    ".wh..",
    ".wh...",
    "C:../x",
    "a\\..\\b",
  ],
  ...["x".repeat(100), `${"x".repeat(255)}/y`, "x".repeat(256), "\xff\xfe", "a\nb", "a/".repeat(45)],
];
export const KEYS = [
  ...["path", "linkpath", "uid", "gid", "size", "mtime", "GNU.sparse.major", "GNU.sparse.minor"],
  ...["GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.numblocks"],
  ...["GNU.sparse.offset", "GNU.sparse.numbytes", "SCHILY.xattr.user.a", "SCHILY.xattr.", "comment"],
  ...[
    "SCHILY.xattr.trusted.overlay.opaque",
    "SCHILY.xattr.system.posix_acl_access",
    "LIBARCHIVE.xattr.user.%61",
  ],
  ...["SCHILY.xattr.none", "hdrcharset", "SCHILY.realsize", "RHT.security.selinux", "atime"],
];
