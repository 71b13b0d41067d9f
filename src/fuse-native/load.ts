import { existsSync, realpathSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type Fuse from "fuse-native";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { strangerOf } from "../safe-open/strangers.ts";

/** Keeps a library loaded when its handle is closed: bits/dlfcn.h, which Node does not name. */
const RTLD_NODELETE = 0x1000;

/**
 * Loads the package, and its C addon with it, when it is wanted: the other transport does not pay for it.
 *
 * @throws OperationalError in one line, whatever is missing: the package, an addon for this platform, or the
 *   `fusermount` program that a caller other than root needs
 */
export async function loadFuse(): Promise<typeof Fuse> {
  if (process.geteuid?.() !== 0) findFusermount();
  let loaded: typeof Fuse;
  try {
    loadLibfuse();
    ({ default: loaded } = await import("fuse-native"));
  } catch (error) {
    const line = messageOf(error).split("\n")[0];
    throw new OperationalError(`the package fuse-native cannot be loaded (${line}): use --transport direct`);
  }
  // Its own runs a shell with the mountpoint in double quotes, and fails when the mount is gone already.
  loaded.unmount = (_, done) => done(null);
  return loaded;
}

/**
 * Loads the libfuse that the package brings, before its addon asks for `libfuse.so.2`: the addon has no run path
 * to the copy beside it, and few machines have one of their own. Node wants an addon in every library it opens
 * and closes this one again with an error, but the linker keeps it and finds it by its soname.
 */
function loadLibfuse(): void {
  const own = process.env["NYDUSD_LIBFUSE"];
  if (own !== undefined && own !== "") {
    loadOwn(own);
    return;
  }
  const dir = dirname(fileURLToPath(import.meta.resolve("fuse-native")));
  const library = join(dir, "prebuilds", `${process.platform}-${process.arch}`, "libfuse.so");
  if (existsSync(library)) load(library);
}

/** @returns why not, in words; undefined when it is loaded */
function load(library: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (codeOf(error) !== "ERR_DLOPEN_FAILED" || !/did not self-register/.test(messageOf(error)))
      return messageOf(error);
  }
  return undefined;
}

/**
 * Loads another build of it, which its licence lets everybody put in its place: in an executable that has it inside, too.
 *
 * @throws Error when others could change it, or it cannot be loaded
 */
function loadOwn(path: string): void {
  try {
    const library = realpathSync(path);
    mustBeOwnDirectory(dirname(library));
    const problem = strangerOf(statSync(library)) ?? load(library);
    if (problem !== undefined) throw new Error(problem);
  } catch (error) {
    throw new Error(`NYDUSD_LIBFUSE: ${path}: ${messageOf(error)}`);
  }
}

function findFusermount(): void {
  const dirs = ["/usr/local/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  if (!dirs.some((dir) => dir !== "" && existsSync(join(dir, "fusermount"))))
    throw new OperationalError(
      "no fusermount program in PATH, which fuse-native mounts with: install fuse3, or be root",
    );
}
