import type { LayerStore } from "../layer-store/layer-store.ts";
import type { SnapshotRecords } from "./records.ts";
import type { Tally } from "./tally.ts";

/** What who watches is told from. */
export interface Shown {
  readonly root: string;
  readonly store: LayerStore;
  readonly records: SnapshotRecords;
  readonly tally: Tally;
}
