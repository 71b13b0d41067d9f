import { COUNT, inflight, total } from "../metrics/counters.ts";
import { addCounter, addGauge, type Registry } from "./metric.ts";
import { type Monitored, STATES } from "./monitored.ts";

/** The mount as a whole: what it shows, who works for it, what went ahead and what went wrong. */
export function addMountMetrics(registry: Registry, mount: Monitored): void {
  const { counters, image, mountpoint, version, commit } = mount;
  const gauge = (name: string, help: string, read: () => number) => addGauge(registry, { name, help }, read);
  const counter = (name: string, help: string, count: number) =>
    addCounter(registry, { name, help }, () => total(counters, count));

  gauge("tarfs_workers", "Worker threads that run.", mount.workers);
  gauge(
    "tarfs_workers_busy",
    "Worker threads that answer a request at this moment.",
    () => inflight(counters).length,
  );
  counter("tarfs_unexpected_errors_total", "Exceptions in the daemon, answered EIO.", COUNT.UNEXPECTED);
  counter("tarfs_pushed_files_total", "Files handed to the page cache ahead of readers.", COUNT.PUSHED_FILES);
  counter("tarfs_pushed_bytes_total", "Bytes of these files.", COUNT.PUSHED_BYTES);
  counter("tarfs_push_refused_total", "Files that the kernel would not take ahead.", COUNT.PUSH_REFUSED);

  gauge("tarfs_lost_blobs", "Blobs whose file became shorter, unreadable or another one.", () =>
    total(counters, COUNT.LOST_BLOBS),
  );
  gauge("tarfs_blobs", "Blobs that the image refers to.", () => mount.blobs);
  gauge(
    "tarfs_blob_descriptors",
    "Descriptors of the image and its blobs held open.",
    () => mount.blobDescriptors,
  );
  gauge("tarfs_bootstrap_inodes", "Inodes of the image.", () => mount.inodes);

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
  addGauge(registry, info, () => [[1, { image_ref: image, mountpoint }]]);
  const build = {
    name: "tarfs_build_info",
    help: "1; which daemon this is.",
    labels: ["version", "commit", "node"],
  };
  addGauge(registry, build, () => [[1, { version, commit, node: process.version }]]);
}
