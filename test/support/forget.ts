import { ask } from "./daemon.ts";

/**
 * Has the kernel forget the names, attributes and pages of one mount that nothing in it is open of, as
 * `/proc/sys/vm/drop_caches` does for all mounts of the machine: a remount shrinks what is cached of a file system.
 */
export const forget = (mountpoint: string): Promise<string> => ask('mount -i -o remount,ro "$1"', mountpoint);
