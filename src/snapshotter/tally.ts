import type { StoreObserver } from "../layer-store/observer.ts";
import type { Converted, ResultOf, StoreTask } from "../layer-store/tasks.ts";
import { Timings } from "./timings.ts";

/** s */
const CALL_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600];
const PHASE_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** nydus-snapshotter's, ms. */
const OPERATION_BOUNDS = [0.5, 1, 5, 10, 50, 100, 150, 200, 250, 300, 350, 400, 600, 1000];
/** What nydus-snapshotter calls the calls that it times. */
const OPERATIONS: Readonly<Record<string, string>> = {
  Prepare: "PREPARE",
  Mounts: "MOUNTS",
  Remove: "REMOVE",
  Cleanup: "CLEANUP",
};

/** What became of a layer that was to be laid into a snapshot. */
export type LayerResult = "stored" | "known" | "unpacked" | "failed" | "canceled";
/** Why containerd itself unpacks a layer, or this program those of an image. */
export type FallbackReason = "snapshot-not-empty" | "not-convertible" | "not-mergeable";

/** What has happened since the start: counted in any case, shown to who asks. */
export class Tally implements StoreObserver {
  readonly calls = new Timings(CALL_BOUNDS);
  readonly operations = new Timings(OPERATION_BOUNDS);
  readonly phases = new Timings(PHASE_BOUNDS);
  readonly layers = new Map<LayerResult, number>();
  readonly fallbacks = new Map<FallbackReason, number>();
  blobBytes = 0;
  tarBytes = 0;
  /** Of files that clean-ups have removed. */
  freedBytes = 0;

  /** A call was answered. @param code of gRPC */
  called(method: string, code: string, ms: number): void {
    this.calls.observe({ method, code }, ms / 1000);
    const operation = OPERATIONS[method];
    if (operation !== undefined) this.operations.observe({ snapshot_operation: operation }, ms);
  }

  did<Task extends StoreTask>(task: Task, result: ResultOf<Task>, waited: number, worked: number): void {
    this.took("wait", waited);
    this.took(task.do, worked);
    if (task.do !== "convert") return;
    this.blobBytes += task.size;
    this.tarBytes += (result as Converted).tarBytes;
  }

  laid(result: LayerResult): void {
    this.layers.set(result, (this.layers.get(result) ?? 0) + 1);
  }

  fellBack(reason: FallbackReason): void {
    this.fallbacks.set(reason, (this.fallbacks.get(reason) ?? 0) + 1);
  }

  /** Does work, and counts how long it took when it has succeeded. */
  async timed<T>(phase: string, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await run();
    this.took(phase, performance.now() - began);
    return result;
  }

  private took(phase: string, ms: number): void {
    this.phases.observe({ phase }, ms / 1000);
  }
}
