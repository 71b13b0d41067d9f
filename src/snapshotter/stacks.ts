import { OperationalError } from "../bytes/errors.ts";
import { NotConvertible } from "../layer-store/not-convertible.ts";
import type { Capabilities } from "./capabilities.ts";
import { type Chain, chainOf, type Storey } from "./chain.ts";
import { type IdMapping, idMappingOf } from "./id-mapping.ts";
import type { LayerIntake } from "./layer-intake.ts";
import { type MountAnswer, mountAnswers, vmAnswers } from "./mount-answers.ts";
import { rootOf } from "./mount-root.ts";
import type { MountedImages } from "./mounted-images.ts";
import type { SnapshotRecord } from "./record.ts";
import type { SnapshotRecords } from "./records.ts";
import type { SnapshotDirectories } from "./snapshot-directories.ts";
import type { UnpackedLayers } from "./unpacked-layers.ts";

const VOLATILE = "containerd.io/snapshot/overlay.volatile";

const HERE = "/.";

/** The layers of an image, one by one. */
const storeysOf = ({ image, ids }: Chain): Storey[] => ids.map((id, i) => ({ id, layer: image[i] }));

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
    const chain = this.chainOf(parent);
    const lowers: string[] = [];
    const restore = () => this.intake.restoreLost(this.records.chain(parent));
    const mountpoint = await this.mountpointOf(chain, restore);
    // "/." : containerd 2.0 to 2.2 clone only the directory above, without what is mounted there, when they map ids.
    if (mountpoint !== undefined) lowers.push(`${mountpoint}${HERE}`);
    const storeys = mountpoint === undefined ? [...storeysOf(chain), ...chain.above] : chain.above;
    if (storeys.some(({ layer }) => layer !== undefined)) await restore();
    for (const { id, layer } of storeys)
      lowers.unshift(
        layer === undefined
          ? this.directories.places(id).upper
          : await this.unpacked.directory(id, layer, lowers),
      );
    return lowers;
  }

  /**
   * The mounts that containerd is to make of a snapshot.
   *
   * @param volumes disks, instead of what is below, for a virtual machine
   */
  async mountsOf(
    record: SnapshotRecord,
    lowers: readonly string[],
    volumes: readonly string[] = [],
  ): Promise<MountAnswer[]> {
    const { id, kind, labels } = record;
    const mapping = await this.mappingOf(labels);
    const extra = [...(VOLATILE in labels ? ["volatile"] : []), ...(mapping?.options ?? [])];
    const stack = { kind, empty: this.directories.empty, ...this.directories.places(id), extra };
    return volumes.length > 0 ? vmAnswers(stack, volumes) : mountAnswers({ ...stack, lowers });
  }

  /** The root of an overlay is the upper directory's: it is to look like that of what is below. */
  async takeRoot({ id, kind, labels }: SnapshotRecord, [lower]: readonly string[]): Promise<void> {
    if (lower === undefined || kind !== "active") return;
    const root = await rootOf(lower.endsWith(HERE) ? lower.slice(0, -HERE.length) : lower);
    if (root === "dead") throw new OperationalError(`${lower}: its daemon is gone`);
    const { uid, gid, mode } = root;
    const mapping = await this.mappingOf(labels);
    const owner = mapping === undefined ? { uid, gid } : { uid: mapping.uid(uid), gid: mapping.gid(gid) };
    await this.directories.likeRoot(id, { ...owner, mode });
  }

  /** @returns undefined: there is no image at the bottom, or its layers have to be unpacked one by one */
  private async mountpointOf({ image }: Chain, restore: () => Promise<void>): Promise<string | undefined> {
    if (image.length === 0) return undefined;
    try {
      return await this.images.mounted(image, restore);
    } catch (error) {
      if (error instanceof NotConvertible) return undefined;
      throw error;
    }
  }

  private async mappingOf(labels: Readonly<Record<string, string>>): Promise<IdMapping | undefined> {
    const mapping = idMappingOf(labels);
    return mapping !== undefined && (await this.capabilities.mapsIds()) ? mapping : undefined;
  }
}
