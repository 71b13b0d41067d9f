import { Containerd } from "../containerd/client.ts";
import { handlerOf } from "../containerd/routes.ts";
import type { Handler } from "../containerd/server.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { Logger } from "../log/log.ts";
import { Capabilities } from "./capabilities.ts";
import { CleanUp } from "./clean-up.ts";
import { ContentPlace } from "./content-place.ts";
import { Differ } from "./differ.ts";
import { ExportedDisks } from "./exported-disks.ts";
import { KnownLayers } from "./known-layers.ts";
import { LayerIntake } from "./layer-intake.ts";
import { MountedImages } from "./mounted-images.ts";
import { SnapshotRecords } from "./records.ts";
import { Stacks } from "./stacks.ts";
import type { Shown } from "./shown.ts";
import type { Tally } from "./tally.ts";
import type { SnapshotterOptions } from "./serve.ts";
import { routesOf } from "./service.ts";
import { SnapshotDirectories } from "./snapshot-directories.ts";
import { Snapshots } from "./snapshots.ts";
import { VmDisks } from "./vm-disks.ts";
import { UnpackedLayers } from "./unpacked-layers.ts";

/** All of it, put together. */
export interface Snapshotter {
  readonly handler: Handler;
  readonly shown: Shown;
  /** Work under way ends, and leaves nothing; what is mounted stays. */
  close(): Promise<void>;
}

/**
 * @param options with the root as it is named, by which containerd may know it
 * @param store of that root; it is closed with the rest
 * @param tally told of everything
 * @throws OperationalError
 */
export function openSnapshotter(
  options: SnapshotterOptions & { readonly named: string },
  store: LayerStore,
  log: Logger,
  tally: Tally,
): Snapshotter {
  const { root, driver, program, containerdAddress } = options;
  const directories = new SnapshotDirectories(root);
  const records = SnapshotRecords.open(root, directories.lastId);
  const images = new MountedImages(root, store, { driver, program }, log, tally);
  const containerd = new Containerd(containerdAddress);
  const capabilities = new Capabilities(containerd, [root, options.named]);
  const intake = new LayerIntake(store, containerd, new ContentPlace(containerd, log), log);
  const stacks = new Stacks(
    records,
    directories,
    images,
    new UnpackedLayers(directories, store),
    intake,
    capabilities,
  );
  const known = options.skipsKnownLayers ? new KnownLayers(store, records) : undefined;
  const disks = new ExportedDisks(root);
  const vmDisks = options.exportMode && new VmDisks(options.exportMode, disks, store, intake);
  const snapshots = new Snapshots(records, directories, stacks, store, known, vmDisks, log);
  const differ = new Differ(snapshots, intake, containerd, log, tally);
  const cleanUp = new CleanUp(snapshots, differ, store, disks, tally);
  return {
    handler: handlerOf(routesOf({ snapshots, differ, cleanUp, store, disks }), (...call) =>
      tally.called(...call),
    ),
    shown: { root, store, records, tally },
    close: async () => {
      images.expected.close();
      await records.close();
      await store.close(); // last: another process may have all of it then
    },
  };
}
