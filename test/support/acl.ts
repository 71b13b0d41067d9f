import { sh } from "./daemon.ts";
import { USER } from "./user.ts";

/**
 * Gives the user permissions by an ACL.
 *
 * @param kind "default": of a directory, for what is made in it
 * @see https://man7.org/linux/man-pages/man5/acl.5.html
 */
export const allow = (path: string, permissions: number, kind: "access" | "default" = "access"): string =>
  sh(
    `python3 -c 'import os, struct, sys
p, user, path, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
NONE = 0xffffffff
rows = [(1, 7, NONE), (2, p, user), (4, 0, NONE), (16, p, NONE), (32, 0, NONE)]
os.setxattr(path, "system.posix_acl_" + kind, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *r) for r in rows))
' "$P" "$U" "$A" "$K"`,
    { P: `${permissions}`, U: `${USER}`, A: path, K: kind },
  );
