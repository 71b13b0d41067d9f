/** What is worked on: sources come compressed or through a pipe, and are stored before it is known what layers they have. */
export type Work = "sources" | "layers" | "disks";

/** Shows how far work is: it looks into cells that other threads fill. */
export interface Report {
  /**
   * @param bytes of each one's file, 0 when that is not known
   * @param done a cell for each, bytes
   */
  start(work: Work, bytes: readonly number[], done: readonly Float64Array[]): void;
  /** One of them is ready. */
  ready(): void;
  /** All are, or one failed. */
  stop(): void;
}

/** A cell that threads share. */
export const sharedCell = (): Float64Array => new Float64Array(new SharedArrayBuffer(8));

/** Several, in one piece of memory: hundreds of pieces take longer than all else that is done for them. */
export function sharedCells(count: number): Float64Array[] {
  const memory = new SharedArrayBuffer(8 * count);
  return Array.from({ length: count }, (_, i) => new Float64Array(memory, 8 * i, 1));
}
