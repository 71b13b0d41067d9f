import { create } from "@bufbuild/protobuf";
import { messageOf } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import type { ApplyRequest } from "../containerd/gen/diff_pb.ts";
import { type Descriptor, MountSchema } from "../containerd/gen/types_pb.ts";
import { Refusal, refuse } from "../containerd/refusal.ts";
import { NotConvertible } from "../layer-store/not-convertible.ts";
import type { StoredLayer } from "../layer-store/stored-layer.ts";
import type { Logger } from "../log/log.ts";
import type { LayerIntake } from "./layer-intake.ts";
import { mountAnswers, upperOf } from "./mount-answers.ts";
import { layerFields } from "./layer-fields.ts";
import { namespaceOf, type SnapshotRecord } from "./record.ts";
import type { Snapshots } from "./snapshots.ts";
import type { FallbackReason, Tally } from "./tally.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar";

/** What was laid into a snapshot, as containerd wants to know it. */
export type Applied = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** Why a layer is not kept in the store: for who counts, and for who reads. */
interface Fallback {
  readonly kind: FallbackReason;
  readonly reason: string;
}

/** Lays layers into snapshots: into the store, or, where they cannot be converted, unpacked by containerd. */
export class Differ {
  private readonly snapshots: Snapshots;
  private readonly intake: LayerIntake;
  private readonly containerd: Containerd;
  private readonly log: Logger;
  private readonly tally: Tally;
  /** Ids of snapshots that containerd itself is to unpack into: it asks here first. */
  private readonly walked = new Set<number>();
  /** Calls that may have a layer which no snapshot has yet. */
  private calls = 0;
  private whenDone: (() => void) | undefined;

  constructor(snapshots: Snapshots, intake: LayerIntake, containerd: Containerd, log: Logger, tally: Tally) {
    this.snapshots = snapshots;
    this.intake = intake;
    this.containerd = containerd;
    this.log = log;
    this.tally = tally;
  }

  /** Whether layers are being laid into snapshots: what no snapshot has yet may be theirs. */
  get isBusy(): boolean {
    return this.calls > 0;
  }

  /** @param call once, when no layers are being laid into snapshots any more */
  whenIdle(call: () => void): void {
    this.whenDone = call;
  }

  /**
   * @throws Refusal "unimplemented" for mounts that are not ours, and for layers that containerd is to unpack because this was
   * asked by itself; whatever reading, converting and storing throws
   */
  async apply(request: ApplyRequest, signal: AbortSignal): Promise<Applied> {
    const record = this.snapshotOf(request);
    if (record === undefined || this.walked.has(record.id))
      throw refuse("unimplemented", "mounts of another snapshotter");
    const { diff } = request;
    if (diff === undefined) throw refuse("invalid argument", "no layer is named");
    this.calls++;
    const fields = layerFields(record, diff.digest);
    const began = performance.now();
    try {
      const fallback = await this.whyNot(record);
      if (fallback !== undefined) return await this.walk(request, record, fallback, signal);
      const { mediaType, digest, size } = diff;
      const blob = { mediaType, digest, size: Number(size) };
      const known = this.known(record);
      if (known !== undefined) this.log.info(`layer ${digest} is in the store already`, fields);
      const { diffId, tarBytes } = known ?? (await this.intake.take(blob, record.key, signal));
      await this.snapshots.setLayer(record.key, diffId, blob);
      this.tally.laid(known === undefined ? "stored" : "known");
      if (known === undefined) {
        const ms = Math.round(performance.now() - began);
        this.log.info(`layer ${digest}: stored`, { ...fields, diff_id: diffId, bytes: tarBytes, ms });
      }
      return { mediaType: LAYER, digest: diffId, size: BigInt(tarBytes) };
    } catch (error) {
      if (error instanceof NotConvertible)
        return await this.walk(request, record, { kind: "not-convertible", reason: error.reason }, signal);
      this.tally.laid(signal.aborted ? "canceled" : "failed");
      this.log.warn(`layer ${diff.digest}: ${messageOf(error)}`, fields);
      throw signal.aborted && !(error instanceof Refusal) ? new Refusal("canceled", messageOf(error)) : error;
    } finally {
      this.calls--;
      this.tellIdle();
    }
  }

  private known(record: SnapshotRecord): StoredLayer | undefined {
    const layer = this.snapshots.known?.layerOf(record);
    return layer === undefined ? undefined : this.intake.inStore(layer);
  }

  private tellIdle(): void {
    const { whenDone } = this;
    if (this.isBusy || whenDone === undefined) return;
    this.whenDone = undefined;
    whenDone();
  }

  /** @returns why a layer is not to be kept in the store */
  private async whyNot({ id, layer }: SnapshotRecord): Promise<Fallback | undefined> {
    const isUntouched = layer === undefined && (await this.snapshots.directories.isUntouched(id));
    if (isUntouched) return undefined;
    return { kind: "snapshot-not-empty", reason: "the snapshot holds something already" };
  }

  private snapshotOf({ mounts }: ApplyRequest): SnapshotRecord | undefined {
    const [mount, ...others] = mounts;
    const upper = mount === undefined || others.length > 0 ? undefined : upperOf(mount.options);
    if (upper === undefined) return undefined;
    for (const record of this.snapshots.records.all())
      if (record.kind === "active" && this.snapshots.directories.places(record.id).upper === upper)
        return record;
    return undefined;
  }

  /** containerd unpacks into the upper directory, and reads below what directories are like that the layer does not name. */
  private async walk(
    request: ApplyRequest,
    record: SnapshotRecord,
    { kind, reason }: Fallback,
    signal: AbortSignal,
  ): Promise<Applied> {
    const { key, id, parent } = record;
    const { directories } = this.snapshots;
    const digest = request.diff?.digest ?? "";
    this.log.warn(`layer ${digest}: unpacked by containerd: ${reason}`, layerFields(record, digest));
    this.tally.fellBack(kind);
    await this.snapshots.settle(key);
    const lowers = await this.snapshots.stacks.lowersOf(parent);
    if (await directories.isUntouched(id)) await this.snapshots.stacks.takeRoot(record, lowers);
    const answers = mountAnswers({
      kind: "active",
      lowers,
      empty: directories.empty,
      ...directories.places(id),
    });
    const mounts = answers.map((answer) => create(MountSchema, { ...answer, options: [...answer.options] }));
    this.walked.add(id);
    try {
      const { applied } = await this.containerd.apply({ ...request, mounts }, namespaceOf(key), signal);
      if (applied === undefined) throw new Error("containerd says nothing of what it unpacked");
      await directories.sync(id);
      this.tally.laid("unpacked");
      return applied;
    } finally {
      this.walked.delete(id);
    }
  }
}
