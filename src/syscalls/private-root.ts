import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { O_PATH } from "../bytes/o-path.ts";
import { fscreate, fsmount, fsopen, moveMount } from "./mount-api.ts";
import { systemCall } from "./system-call.ts";

const CLONE_NEWNS = 0x20000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0x80000;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;

/** Something that a path of the private root is to lead to. */
export interface Shown {
  /** Absolute, without `.` and `..`. */
  readonly at: string;
  readonly path: string;
  readonly isDirectory: boolean;
}

/**
 * Does something where paths lead to what is said, and nowhere else: in a mount namespace and a root of this thread alone,
 * which are gone afterwards. For calls of the kernel that note a path besides following it.
 *
 * @param work makes no promise: other code of this thread would find itself there
 * @throws SystemCallError when that cannot be; what `work` throws
 */
export function inPrivateRoot<T>(shown: readonly Shown[], work: () => T): T {
  const home = [openSync("/proc/self/ns/mnt", "r"), ...["/", "."].map((path) => openSync(path, O_PATH))];
  const [namespace = -1, root = -1, cwd = -1] = home;
  try {
    systemCall("chroot", "/", "/"); // changes nothing: who may not (CAP_SYS_CHROOT) would not get back either
    systemCall("unshare", "mnt", CLONE_NEWNS); // and with it root and working directory, from other threads
    try {
      systemCall("mount", "private", null, "/", null, MS_REC + MS_PRIVATE, null);
      // Taken before the root hides them.
      const trees = shown.map((each) => ({ ...each, tree: openTree(each.path, each.isDirectory) }));
      enterEmptyRoot();
      for (const { at, isDirectory, tree } of trees) {
        mkdirSync(isDirectory ? at : dirname(at), { recursive: true });
        if (!isDirectory) writeFileSync(at, "");
        moveMount(tree, at);
        closeSync(tree);
      }
      return work();
    } finally {
      goBack(namespace, root, cwd);
    }
  } finally {
    for (const fd of home) closeSync(fd);
  }
}

const openTree = (path: string, isRecursive: boolean): number =>
  systemCall(
    "open_tree",
    path,
    AT_FDCWD,
    path,
    OPEN_TREE_CLONE + OPEN_TREE_CLOEXEC + (isRecursive ? AT_RECURSIVE : 0),
  );

/** On top of the old one: no path leads there from a root that is below it. */
function enterEmptyRoot(): void {
  const context = fsopen("tmpfs");
  let mount: number | undefined;
  try {
    fscreate(context);
    mount = fsmount(context, 0);
    moveMount(mount, "/");
    systemCall("fchdir", "private root", mount);
    systemCall("chroot", "private root", ".");
  } finally {
    closeSync(context);
    if (mount !== undefined) closeSync(mount);
  }
}

/** A thread that is not where all others are must not go on. */
function goBack(namespace: number, root: number, cwd: number): void {
  try {
    systemCall("setns", "mnt", namespace, CLONE_NEWNS); // its root is that of the namespace, which need not be this process's
    systemCall("fchdir", "/", root);
    systemCall("chroot", "/", ".");
    systemCall("fchdir", ".", cwd);
  } catch (error) {
    process.stderr.write(`Error: ${String(error)}\n`);
    process.kill(process.pid, "SIGKILL");
  }
}
