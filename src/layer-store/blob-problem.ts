/** A blob that is not what its digest says, or that stopped coming: no fault of the layer. */
export class BlobProblem extends Error {
  override readonly name = "BlobProblem";
}

/** Whether that is why something failed. */
export const isBlobProblem = (error: unknown): boolean =>
  error instanceof BlobProblem || (error instanceof Error && error.cause instanceof BlobProblem);
