import { setTimeout as sleep } from "node:timers/promises";
import { PROXY } from "./containerd-config.ts";
import type { Both } from "./snapshotter.ts";

/** Longest that containerd may take; it waits for up to three seconds before it calls somebody again who was gone. */
const PATIENCE_MS = 60_000;

/** Waits until containerd reaches the snapshotter. What only looks is answered by containerd itself, so one is made. */
export async function connected({ containerd }: Both): Promise<void> {
  const snapshots = ["snapshots", "--snapshotter", PROXY];
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(100)) {
    const { status, stderr } = await containerd.ctr(...snapshots, "prepare", "probe");
    if (status === 0) break;
    if (Date.now() > end) throw new Error(`containerd reaches no snapshotter: ${stderr}`);
  }
  await containerd.ask(...snapshots, "rm", "probe");
}
