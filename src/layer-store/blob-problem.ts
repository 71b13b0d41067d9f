/** A blob that is not what its digest says, or that stopped coming: no fault of the layer. */
export class BlobProblem extends Error {
  override readonly name = "BlobProblem";
}

/** Whether that is why something failed, in another thread, too. */
export const isBlobProblem = (error: unknown): boolean =>
  error instanceof Error && (error.name === "BlobProblem" || isBlobProblem(error.cause));
