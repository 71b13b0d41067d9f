import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { PROXY } from "./containerd-config.ts";
import { containersLeft } from "./containers-left.ts";
import type { Both } from "./snapshotter.ts";

/** Files and directories that a snapshotter has in its own place. */
export const filesOf = ({ snapshotter }: Both): string[] =>
  readdirSync(snapshotter.root, { recursive: true, encoding: "utf8" }).sort();

/** Removes every container and image of a namespace as people do, and what was left by clients that were killed. */
export async function removeAll({ containerd }: Both): Promise<void> {
  const names = async (...words: string[]) => (await containerd.ask(...words)).split("\n").filter(Boolean);
  for (const id of await names("container", "ls", "-q")) {
    await containerd.ctr("task", "rm", "--force", id);
    await containerd.ask("container", "rm", id);
  }
  for (const lease of await names("leases", "ls", "-q")) await containerd.ask("leases", "rm", lease);
  // The last one waits for the collection of what nobody has any more.
  for (const image of await names("image", "ls", "-q")) await containerd.ask("image", "rm", "--sync", image);
  await containerd.ask("leases", "create", "--id", "last");
  await containerd.ask("leases", "rm", "--sync", "last");
}

/** @param before files that the snapshotter had before there were images */
export async function expectNothingLeft(both: Both, before: readonly string[]): Promise<void> {
  const { containerd } = both;
  expect({
    ...containersLeft(containerd),
    snapshots: (await containerd.ask("snapshots", "--snapshotter", PROXY, "ls")).split("\n").slice(1, -1),
    blobs: await containerd.ask("content", "ls", "-q"),
    files: filesOf(both),
  }).toEqual({ mounts: [], loops: [], processes: [], shims: [], snapshots: [], blobs: "", files: before });
}
