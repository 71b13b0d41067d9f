import { COUNT } from "../counters/counters.ts";
import { addCounter, addGauge, type Registry } from "./metric.ts";
import { type ExportedImage, STATES } from "./exported-mount.ts";
import type { Snapshot } from "./snapshot.ts";

/** The mount as a whole: what it shows, its workers, what was stored ahead and what went wrong. */
export function addMountMetrics(registry: Registry, snapshot: Snapshot): void {
  const { mount } = snapshot;
  const { version, commit } = mount;
  const gauge = (name: string, help: string, read: () => number) => addGauge(registry, { name, help }, read);
  const counter = (name: string, help: string, count: number) =>
    addCounter(registry, { name, help }, () => snapshot.counts[count] ?? 0);

  gauge("tarfs_workers", "Worker threads that run.", mount.workers);
  gauge(
    "tarfs_workers_busy",
    "Worker threads that answer a request at this moment.",
    () => mount.inflight().length,
  );
  counter("tarfs_unexpected_errors_total", "Exceptions in the daemon, answered EIO.", COUNT.UNEXPECTED);
  counter(
    "tarfs_corrupt_blocks_total",
    "Blocks that are not what the hash tree of --verity says, each counted once.",
    COUNT.CORRUPT_BLOCKS,
  );
  counter("tarfs_pushed_files_total", "Files handed to the page cache ahead of readers.", COUNT.PUSHED_FILES);
  counter("tarfs_pushed_bytes_total", "Bytes of these files.", COUNT.PUSHED_BYTES);
  counter("tarfs_push_refused_total", "Files that the kernel would not take ahead.", COUNT.PUSH_REFUSED);

  const takeovers = {
    name: "tarfs_takeovers_total",
    help: "Times that another process went on with the mount, by why: the one before it died, or handed over.",
    labels: ["reason"],
  };
  addCounter(registry, takeovers, () => [
    [mount.takeovers.crashes, { reason: "crash" }],
    [mount.takeovers.all - mount.takeovers.crashes, { reason: "upgrade" }],
  ]);
  gauge("tarfs_lost_blobs", "Blobs whose file became shorter, unreadable or another one.", mount.lostBlobs);
  const all = (value: (image: ExportedImage) => number) => () =>
    snapshot.images.reduce((sum, image) => sum + value(image), 0);
  gauge("tarfs_images", "Images that are mounted.", () => snapshot.images.length);
  gauge(
    "tarfs_blobs",
    "Blobs that the images refer to, as often as they do.",
    all(({ blobs }) => blobs),
  );
  gauge("tarfs_blob_descriptors", "Descriptors of images and their blobs held open.", mount.blobDescriptors);
  gauge(
    "tarfs_bootstrap_inodes",
    "Inodes of the images.",
    all(({ inodes }) => inodes),
  );

  const state = {
    name: "tarfs_mount_state",
    help: "1 for the state that the mount is in.",
    labels: ["state"],
  };
  addGauge(registry, state, () => STATES.map((each) => [mount.state() === each ? 1 : 0, { state: each }]));
  const info = {
    name: "tarfs_mount_info",
    help: "1; what is mounted and where.",
    labels: ["image_ref", "mountpoint"],
  };
  addGauge(registry, info, () =>
    snapshot.images.map(({ source, mountpoint }) => [1, { image_ref: source, mountpoint }]),
  );
  const build = {
    name: "tarfs_build_info",
    help: "1; which daemon this is.",
    labels: ["version", "commit", "node"],
  };
  addGauge(registry, build, () => [[1, { version, commit, node: process.version }]]);
}
