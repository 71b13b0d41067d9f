import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Compression } from "../bytes/magic.ts";
import type { StoredLayer } from "../layer-store/stored-layer.ts";
import { mergeImages } from "../mkfs/merge.ts";
import { isImage, mountAt } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";
import { type MountMeans, mountImage } from "../snapshotter/mount-image.ts";
import type { OfferedLayer } from "./layout-layers.ts";

/** A way that ends nowhere: engines make this file to say that they use a layer, and take "no such file" for an answer. */
const NOWHERE = "/nonexistent/use";
/** Numbers of compressions. Source: containers/storage, pkg/archive, Compression. */
const COMPRESSIONS: Readonly<Record<Compression | "none", number>> = {
  none: 0,
  bzip2: 1,
  gzip: 2,
  xz: 3,
  zstd: 4,
};

/** Where the parts of layers lie. */
export interface LayerPlaces {
  /** What engines look into, a directory a layer. */
  readonly layers: string;
  /** Bootstraps, on a file system that the kernel mounts images from. */
  readonly boots: string;
  /** Tars, each under its sha256. */
  readonly blobs: string;
}

/** Layers as engines look for them: `diff`, a mount of what overlayfs takes for a lower directory, beside what is known of it. */
export class LayerMounts {
  private readonly places: LayerPlaces;
  private readonly means: MountMeans;
  private readonly warn: (message: string) => void;

  constructor(places: LayerPlaces, means: MountMeans, warn: (message: string) => void) {
    this.places = places;
    this.means = means;
    this.warn = warn;
  }

  isMounted(digest: string): boolean {
    const mount = mountAt(join(this.places.layers, digest, "diff"));
    return mount !== undefined && isImage(mount);
  }

  /** Offers a layer; until it is mounted it has another name. @throws OperationalError: nothing is left of it then */
  async add(layer: OfferedLayer, { bootstrap, tarBytes }: StoredLayer): Promise<void> {
    const { digest, size, file, diffId, compression = "none" } = layer;
    const { layers, blobs } = this.places;
    const place = join(layers, digest);
    const hidden = join(layers, `.${digest}`);
    const boot = this.bootOf(digest);
    for (const left of [place, hidden]) await clear(left);
    const diff = join(hidden, "diff");
    mkdirSync(diff, { recursive: true, mode: 0o755 });
    try {
      const rules = { whiteouts: "none", isForOverlay: true, warn: this.warn } as const;
      const into = { bootstrap: boot, blobDir: undefined, prefetch: [], keepsBlobs: true };
      mergeImages({ layers: [bootstrap], ...into, ...rules });
      symlinkSync(file, join(hidden, "blob"));
      symlinkSync(NOWHERE, join(hidden, "use"));
      writeFileSync(
        join(hidden, "info"),
        JSON.stringify({
          ...{ "compressed-diff-digest": digest, "compressed-size": size },
          ...{ "diff-digest": diffId, "diff-size": tarBytes, compression: COMPRESSIONS[compression] },
        }),
      );
      await mountImage({ bootstrap: boot, blobDir: blobs, mountpoint: diff }, this.means);
      renameSync(hidden, place);
    } catch (error) {
      await unmount({ path: diff }).catch(() => {});
      for (const path of [hidden, boot]) rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** Takes a layer back; what runs on it goes on. */
  async remove(digest: string): Promise<void> {
    const place = join(this.places.layers, digest);
    await unmount({ path: join(place, "diff") });
    for (const path of [place, this.bootOf(digest)]) rmSync(path, { recursive: true, force: true });
  }

  private bootOf = (digest: string): string => join(this.places.boots, `${digest.replace(":", "-")}.boot`);
}

/** Removes what a run has left that was killed, or the mount of a layer that is none any more; never what is mounted there. */
async function clear(place: string): Promise<void> {
  while ((await unmount({ path: join(place, "diff") })) !== "absent");
  rmSync(place, { recursive: true, force: true });
}
