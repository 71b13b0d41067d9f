import type { ResultOf, StoreTask } from "./tasks.ts";

/** Told of the work that threads have done for a store, when it has succeeded. */
export interface StoreObserver {
  /**
   * @param waited ms until a thread was free
   * @param worked ms from then on
   */
  did<Task extends StoreTask>(task: Task, result: ResultOf<Task>, waited: number, worked: number): void;
}

export const NOBODY: StoreObserver = { did: () => {} };

/** A conversion that is under way. */
export interface Conversion {
  /** Of the blob. */
  readonly digest: string;
  /** Bytes of the blob that are done, of how many. */
  readonly done: number;
  readonly of: number;
}
