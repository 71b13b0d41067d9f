import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connected } from "./connected.ts";
import type { Both } from "./snapshotter.ts";

/** Starts containerd anew with another configuration, after `meanwhile`. */
export async function reconfigure(
  both: Both,
  change: (toml: string) => string,
  meanwhile: () => void = () => {},
): Promise<void> {
  const { containerd } = both;
  await containerd.end();
  const config = join(containerd.dir, "config.toml");
  writeFileSync(config, change(readFileSync(config, "utf8")));
  meanwhile();
  await containerd.start();
  await connected(both);
}
