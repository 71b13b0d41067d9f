import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Containerd } from "./containerd.ts";
import { rootfsOf } from "./container-tree.ts";

const FILE = "tmp/said";
let count = 0;

/**
 * Runs a script in a container, where it must succeed.
 *
 * @returns what it printed: by a file, because `ctr` loses what a process says that has ended before its pipes were opened
 */
export async function exec(containerd: Containerd, id: string, script: string): Promise<string> {
  const words = ["--exec-id", `exec-${count++}`, id, "/bin/sh", "-euc", `exec >/${FILE}; ${script}`];
  await containerd.ask("task", "exec", ...words);
  return readFileSync(join(rootfsOf(containerd, id), FILE), "utf8");
}
