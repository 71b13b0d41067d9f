import type Fuse from "fuse-native";
import type { FileSystem } from "../vfs/file-system.ts";
import { OP } from "../vfs/opcodes.ts";
import { type Calls, quotedText } from "./calls.ts";
import type { Paths } from "./paths.ts";

/** Longer than XATTR_NAME_MAX. */
const NAME_SIZE = 4096;

/**
 * Answers GETXATTR and LISTXATTR in place of the package, whose handlers are not told how much room the
 * caller has: a value that does not fit would give EIO where ERANGE is due (GNU tar and libacl grow their
 * buffer on ERANGE), and a size probe of a list would say 128 too many.
 *
 * An image without any xattr gets no handler for GETXATTR: libfuse says ENOSYS once, and the kernel stops
 * asking. Listing goes on and finds nothing, as on the kernel's EROFS.
 */
export function answerXattrs(fuse: Fuse, fs: FileSystem, paths: Paths, calls: Calls): void {
  const name = Buffer.alloc(NAME_SIZE);

  fuse._op_getxattr = (answer, path, wanted, out) => {
    const result = calls.run(
      OP.GETXATTR,
      path,
      () => {
        const node = paths.resolve(path);
        const length = name.write(wanted);
        return node < 0 ? node : fs.getxattr(node, name, 0, length, out, 0, out.length);
      },
      () => ` name=${quotedText(wanted)} size=${out.length}`,
    );
    answer(result, out.buffer);
  };

  // The caller's uid does not get through, so every caller is shown the names of trusted.*; the values are for
  // CAP_SYS_ADMIN, which the kernel sees to.
  fuse._op_listxattr = (answer, path, out) => {
    const result = calls.run(
      OP.LISTXATTR,
      path,
      () => {
        const node = paths.resolve(path);
        return node < 0 ? node : fs.listxattr(node, out, 0, out.length, true);
      },
      () => ` size=${out.length}`,
    );
    answer(result, out.buffer);
  };
}

/** The package asks libfuse for a request only when a handler stands for it. */
export const xattrHandlers = (
  fs: FileSystem,
): Pick<Fuse.Operations, "listxattr"> & Partial<Pick<Fuse.Operations, "getxattr">> =>
  fs.traits.hasXattrs ? { getxattr: () => {}, listxattr: () => {} } : { listxattr: () => {} };
