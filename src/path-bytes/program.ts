import { readFileSync, readlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { textOf } from "../bytes/any-bytes.ts";
import { openFilesToBytes } from "./files.ts";
import { openProgramsToBytes } from "./programs.ts";
import { openSocketsToBytes } from "./sockets.ts";

/**
 * Imported by programs before anything else: from then on strings of paths hold any bytes (bytes/any-bytes), on the command
 * line and in what Node takes and gives. Node itself would put U+FFFD in the place of each byte that is no UTF-8, and say
 * "no such file" of one that is there (nodejs/node#43672).
 */
openFilesToBytes();
openProgramsToBytes();
openSocketsToBytes();
syncBuiltinESMExports();
process.argv.splice(2, Number.POSITIVE_INFINITY, ...ownWords());
const { cwd } = process;
leaveWhatIsGone();
process.cwd = workingDirectory;

/** The words after the program's path, as the kernel has them. */
function ownWords(): string[] {
  const given = process.argv.slice(2);
  if (!given.some((word) => word.includes("\ufffd"))) return given;
  const all = readFileSync("/proc/self/cmdline", "latin1").split("\0").slice(0, -1);
  return all.slice(-given.length).map((word) => textOf(Buffer.from(word, "latin1")));
}

function workingDirectory(): string {
  const path = cwd();
  return path.includes("\ufffd") ? readlinkSync("/proc/self/cwd") : path;
}

/** No thread of Node begins in a directory that was removed. In its place one in which no name is that of anybody's file. */
function leaveWhatIsGone(): void {
  try {
    cwd();
  } catch {
    process.chdir("/proc/self/fdinfo");
  }
}
