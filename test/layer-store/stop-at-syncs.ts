import fs from "node:fs";
import { open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/*
 * Loaded into a process before its program, and into each of its threads: all of it stops before and after it has something
 * brought to the disk, until somebody lets it go on.
 */
const stop = () => process.kill(process.pid, "SIGSTOP");

const { fsyncSync } = fs;
fs.fsyncSync = (fd: number): void => {
  stop();
  fsyncSync(fd);
  stop();
};
syncBuiltinESMExports();

const handle = await open("/dev/null");
const prototype = Object.getPrototypeOf(handle) as typeof handle;
const { sync } = prototype;
prototype.sync = async function (this: typeof handle): Promise<void> {
  stop();
  await sync.call(this);
  stop();
};
await handle.close();
