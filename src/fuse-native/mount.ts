import { closeSync, openSync } from "node:fs";
import type Fuse from "fuse-native";
import { holdsBytes } from "../bytes/any-bytes.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { O_PATH } from "../bytes/o-path.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { type CallObserver, Calls } from "./calls.ts";
import { loadFuse } from "./load.ts";
import { newOperations } from "./operations.ts";
import { Paths } from "./paths.ts";
import { deviceFds, type Watch, watchDevice } from "./watch.ts";
import { answerXattrs, xattrHandlers } from "./xattrs.ts";

/** The kernel sends INIT at once. */
const INIT_MS = 10_000;

interface MountTask extends CallObserver {
  readonly fs: FileSystem;
  readonly mountpoint: string;
  /** From `optionString`. */
  readonly options: string;
}

/** A mount that libfuse serves, from this thread. */
export interface Mounted extends Pick<Watch, "closed" | "hurry"> {
  /** Stops looking, and lets the event loop end. libfuse's threads end with their session or the process. */
  release(): void;
}

/**
 * Mounts, and waits for the kernel's INIT.
 *
 * @throws OperationalError when it cannot; the mount may be there all the same, dead (libfuse refuses options it
 *   does not know only after mounting), and is the caller's to remove
 */
export async function mount(task: MountTask): Promise<Mounted> {
  const Fuse = await loadFuse();
  const { fs } = task;
  const paths = new Paths(fs);
  const calls = new Calls(task);
  const handlers = {
    ...newOperations(fs, paths, calls),
    ...xattrHandlers(fs),
  };
  const fuse = new Fuse(task.mountpoint, handlers, { fsname: task.options, timeout: false });
  answerXattrs(fuse, fs, paths, calls);
  const place = holdsBytes(task.mountpoint) ? openSync(task.mountpoint, O_PATH) : undefined;
  if (place !== undefined) Object.assign(fuse, { mnt: pathOf(place) });

  const before = new Set(deviceFds());
  const added = () => deviceFds().filter((fd) => !before.has(fd));
  try {
    await init(fuse);
  } catch (error) {
    // No process serves it: close it, or every call on the mount would wait for ever.
    for (const fd of added()) closeSync(fd);
    letLoopEnd(fuse);
    throw new OperationalError(`cannot mount ${task.mountpoint} with fuse-native: ${reasonOf(error)}`);
  } finally {
    if (place !== undefined) closeSync(place);
  }
  const [fd] = added();
  // None: libfuse has closed it already, and a descriptor that is not there is a device that is not open.
  const watch = watchDevice(fd ?? -1);
  return {
    closed: watch.closed,
    hurry: watch.hurry,
    release: () => {
      watch.stop();
      letLoopEnd(fuse);
    },
  };
}

/**
 * The addon takes UTF-8 alone: a path that leads to a descriptor. The package refuses a directory whose parent is on another
 * device and goes by the path's words: those before the last lead nowhere. libfuse looks at all but the last; fusermount(1) at
 * that as well, unless it is a dot.
 */
const pathOf = (fd: number): string =>
  `/proc/${process.pid}/root/../proc/${process.pid}/fd/${fd}${process.geteuid?.() === 0 ? "" : "/."}`;

/** The addon has two words for everything; libfuse says on stderr what it is. */
const reasonOf = (error: unknown): string =>
  messageOf(error) === "fuse failed" ? "libfuse has said why on stderr" : messageOf(error);

/** Its public `unmount` does nothing after a mount that failed. */
const letLoopEnd = (fuse: Fuse): void => fuse._close(() => {});

function init(fuse: Fuse): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the kernel has sent no INIT")), INIT_MS);
    fuse.mount((error) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    });
  });
}
