// Loaded into a daemon with --import: makes happen in it what no request and no signal does.
import fs, { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const { NYDUSD_TS_UNEXPECTED: how = "", NYDUSD_TS_TRIGGER: trigger = "" } = process.env;

/** On SIGUSR2, in the main thread. */
const MAIN = {
  throw: () => {
    throw new TypeError("thrown on purpose");
  },
  reject: () => {
    Promise.reject(new TypeError("rejected on purpose"));
  },
  twice: () => {
    Promise.reject(new TypeError("rejected on purpose"));
    setTimeout(MAIN.throw, 50);
  },
};
if (isMainThread && Object.hasOwn(MAIN, how)) process.on("SIGUSR2", MAIN[how]);

/** In a worker, while the trigger is there. */
const WORKER = {
  /** A handler of READ fails: `size` of struct fuse_read_in is at 56. */
  handler: () => {
    const { getUint32 } = DataView.prototype;
    DataView.prototype.getUint32 = function (at, ...rest) {
      if (at === 56 && existsSync(trigger)) throw new TypeError("thrown on purpose");
      return getUint32.call(this, at, ...rest);
    };
  },
  write: () => refuseAnswers(0),
  /** After a while, in which overflow workers are started. */
  late: () => refuseAnswers(500),
};

/** The kernel does not take the answer to a READ (opcode 15, at 4), which ends the worker. */
function refuseAnswers(ms) {
  const { readSync, writeSync } = fs;
  let opcode = 0;
  fs.readSync = (fd, buffer, ...rest) => {
    const n = readSync(fd, buffer, ...rest);
    if (rest[2] === null) opcode = buffer[4];
    return n;
  };
  fs.writeSync = (...args) => {
    if (opcode === 15 && existsSync(trigger)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      throw Object.assign(new Error("on purpose"), { code: "EINVAL" });
    }
    return writeSync(...args);
  };
  syncBuiltinESMExports();
}
if (!isMainThread && Object.hasOwn(WORKER, how)) WORKER[how]();
