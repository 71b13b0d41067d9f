/** Told how far work on layers is. Whoever wants to know looks into the cells; other threads fill them. */
export interface Report {
  /**
   * @param bytes of each layer's file, 0 when nobody knows
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
