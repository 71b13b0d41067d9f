#!/bin/sh
":" //; f=$0; if [ -L "$f" ]; then f=$(readlink -f "$f"); fi; case $f in */*) ;; *) f=./$f ;; esac
":" //; bundle=${f%/*}/../dist/bundle; [ -f "$bundle/launch.sh" ] || node "${f%/*}/setup.mjs" </dev/null || exit 1
":" //; . "$bundle/launch.sh"
// What npm links as the command `nydusd-ts`, for a shell and for Node: `env` does not everywhere take a program's flags, and
// the shell finds out without a process more whether Node is to run below a keeper. To Node those lines are a string and a
// comment. npm does not build a clone that it links, so the first call does.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const command = new URL("../dist/bundle/nydusd-ts.js", import.meta.url);
if (!existsSync(command)) {
  const setup = fileURLToPath(new URL("./setup.mjs", import.meta.url));
  const { status } = spawnSync(process.execPath, [setup], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) process.exit(1);
}
await import(command);
