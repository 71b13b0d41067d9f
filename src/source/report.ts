/** Shows how far work on layers is: it looks into cells that other threads fill. */
export interface Report {
  /**
   * @param bytes of each layer's file, 0 when that is not known
   * @param done a cell for each, bytes
   */
  start(bytes: readonly number[], done: readonly Float64Array[]): void;
  /** A layer is ready. */
  ready(): void;
  /** All are, or one failed. */
  stop(): void;
}

/** A cell that threads share. */
export const sharedCell = (): Float64Array => new Float64Array(new SharedArrayBuffer(8));
