#!/bin/sh
":" //; exec node --v8-pool-size=1 "$0" "$@"
// What npm links as the command `nydus-snapshotter-ts`, for a shell and for Node: one compiler thread of V8 instead of
// four takes 5 MiB less, and `env` does not everywhere take a program's flags.
// npm does not build a clone that it links, so the first call does.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const command = new URL("../dist/bundle/nydus-snapshotter-ts.js", import.meta.url);
if (!existsSync(command)) {
  const setup = fileURLToPath(new URL("./setup.mjs", import.meta.url));
  const { status } = spawnSync(process.execPath, [setup], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) process.exit(1);
}
await import(command);
