import { readdirSync, readlinkSync } from "node:fs";

const DEVICE = "/dev/fuse";
/** How often to look whether libfuse has left its session: it does not say so. */
const IDLE_MS = 500;
const HURRIED_MS = 20;

export interface Watch {
  /** Resolves when libfuse has closed the device. */
  readonly closed: Promise<void>;
  /** Looks more often: the end is near. */
  hurry(): void;
  stop(): void;
}

/**
 * Watches the descriptor that libfuse serves. It closes it when its loop has ended and its threads are done
 * (lib/mount.c, fuse_kern_unmount), and not before: those inside a detached mount are served to the last.
 */
export function watchDevice(fd: number): Watch {
  let period = IDLE_MS;
  let timer: NodeJS.Timeout | undefined;
  let look = () => {};
  const closed = new Promise<void>((resolve) => {
    look = () => {
      if (isDevice(fd)) timer = setTimeout(look, period);
      else resolve();
    };
  });
  look();
  return {
    closed,
    hurry: () => {
      period = HURRIED_MS;
      clearTimeout(timer);
      look();
    },
    stop: () => {
      clearTimeout(timer);
      look = () => {}; // `hurry` may follow, when unmounting ends after serving has
    },
  };
}

/** This process's open descriptors of the FUSE device. */
export const deviceFds = (): number[] => readdirSync("/proc/self/fd").map(Number).filter(isDevice);

function isDevice(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === DEVICE;
  } catch {
    return false;
  }
}
