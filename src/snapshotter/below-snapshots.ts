import type { Semaphore } from "../bytes/semaphore.ts";
import type { SnapshotRecord } from "./record.ts";
import type { SnapshotRecords } from "./records.ts";
import type { Stacks } from "./stacks.ts";
import type { BelowVm, VmDisks } from "./vm-disks.ts";

/** What lies below a snapshot, the highest first. */
interface Below {
  readonly lowers: readonly string[];
  /** Instead: disks, as options of a mount. */
  readonly volumes: readonly string[];
}

/** Finds, mounts or makes what snapshots lie on. */
export class BelowSnapshots {
  private readonly records: SnapshotRecords;
  private readonly stacks: Stacks;
  private readonly vmDisks: VmDisks | undefined;
  private readonly changes: Semaphore;

  /** @param changes of records, one at a time */
  constructor(records: SnapshotRecords, stacks: Stacks, vmDisks: VmDisks | undefined, changes: Semaphore) {
    this.records = records;
    this.stacks = stacks;
    this.vmDisks = vmDisks;
    this.changes = changes;
  }

  /** Nothing is read below a layer that is to come. @throws OperationalError */
  async of({ isExtract, parent }: SnapshotRecord): Promise<Below> {
    if (isExtract) return { lowers: [], volumes: [] };
    const { image, above } = this.stacks.chainOf(parent);
    // What lies above an image is in directories of the host: so is all of it then.
    if (this.vmDisks === undefined || image.length === 0 || above.length > 0)
      return { lowers: await this.stacks.lowersOf(parent), volumes: [] };
    const { volumes, labels } = await this.vmDisks.below(this.records.chain(parent));
    for (const each of labels) await this.addLabel(each);
    return { lowers: [], volumes };
  }

  private async addLabel({ key, label, value }: BelowVm["labels"][number]): Promise<void> {
    await this.changes.run(async () => {
      const before = this.records.get(key);
      if (before !== undefined)
        await this.records.put({ ...before, labels: { ...before.labels, [label]: value } }, before);
    });
  }
}
