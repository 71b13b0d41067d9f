import { lstat } from "node:fs/promises";
import type { Capabilities } from "./capabilities.ts";
import { type Chain, chainOf } from "./chain.ts";
import { type IdMapping, idMappingOf } from "./id-mapping.ts";
import type { LayerIntake } from "./layer-intake.ts";
import { type MountAnswer, mountAnswers } from "./mount-answers.ts";
import type { MountedImages } from "./mounted-images.ts";
import type { SnapshotRecord } from "./record.ts";
import type { SnapshotRecords } from "./records.ts";
import type { SnapshotDirectories } from "./snapshot-directories.ts";
import type { UnpackedLayers } from "./unpacked-layers.ts";

const VOLATILE = "containerd.io/snapshot/overlay.volatile";

/** What snapshots lie on: images, which are mounted when something is to be read, and directories above them. */
export class Stacks {
  readonly images: MountedImages;
  private readonly records: SnapshotRecords;
  private readonly directories: SnapshotDirectories;
  private readonly unpacked: UnpackedLayers;
  private readonly intake: LayerIntake;
  private readonly capabilities: Capabilities;

  constructor(
    records: SnapshotRecords,
    directories: SnapshotDirectories,
    images: MountedImages,
    unpacked: UnpackedLayers,
    intake: LayerIntake,
    capabilities: Capabilities,
  ) {
    this.records = records;
    this.directories = directories;
    this.images = images;
    this.unpacked = unpacked;
    this.intake = intake;
    this.capabilities = capabilities;
  }

  /** What lies below a snapshot with this parent. */
  chainOf = (parent: string): Chain => chainOf(this.records.chain(parent));

  /** Directories of what is below a snapshot, the highest first; mounted as needed. */
  async lowersOf(parent: string): Promise<string[]> {
    const { image, above } = this.chainOf(parent);
    const lowers: string[] = [];
    const restore = () => this.intake.restoreLost(this.records.chain(parent));
    // "/." : containerd 2.0 to 2.2 clone only the directory above, without what is mounted there, when they map ids.
    if (image.length > 0) lowers.push(`${await this.images.mounted(image, restore)}/.`);
    if (above.some(({ layer }) => layer !== undefined)) await restore();
    for (const { id, layer } of above)
      lowers.unshift(
        layer === undefined
          ? this.directories.places(id).upper
          : await this.unpacked.directory(id, layer, lowers),
      );
    return lowers;
  }

  /** The mounts that containerd is to make of a snapshot. */
  async mountsOf({ id, kind, parent, labels, isExtract }: SnapshotRecord): Promise<MountAnswer[]> {
    const lowers = isExtract ? [] : await this.lowersOf(parent);
    const mapping = await this.mappingOf(labels);
    const extra = [...(VOLATILE in labels ? ["volatile"] : []), ...(mapping?.options ?? [])];
    return mountAnswers({
      kind,
      lowers,
      empty: this.directories.empty,
      ...this.directories.places(id),
      extra,
    });
  }

  /** The root of an overlay is the upper directory's: it is to look like that of what is below. */
  async takeRoot({ id, kind, parent, labels }: SnapshotRecord): Promise<void> {
    const [lower] = kind === "active" ? await this.lowersOf(parent) : [];
    if (lower === undefined) return;
    const { uid, gid, mode } = await lstat(lower);
    const mapping = await this.mappingOf(labels);
    const owner = mapping === undefined ? { uid, gid } : { uid: mapping.uid(uid), gid: mapping.gid(gid) };
    await this.directories.likeRoot(id, { ...owner, mode });
  }

  private async mappingOf(labels: Readonly<Record<string, string>>): Promise<IdMapping | undefined> {
    const mapping = idMappingOf(labels);
    return mapping !== undefined && (await this.capabilities.mapsIds()) ? mapping : undefined;
  }
}
