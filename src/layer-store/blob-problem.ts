/** A blob that is not what its digest says, or that stopped coming: no fault of the layer. */
export class BlobProblem extends Error {
  override readonly name = "BlobProblem";
}

/** The same, proved: all of its bytes were read, and their digest is another one. */
export class WrongBytes extends Error {
  override readonly name = "WrongBytes";
}

/** Whether that is why something failed, in another thread, too. */
export const isBlobProblem = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === "BlobProblem" || error.name === "WrongBytes" || isBlobProblem(error.cause));

/** Nothing else is a reason to take a tar away: who has removed the blob cannot make it again. */
export const isWrongBytes = (error: unknown): boolean =>
  error instanceof Error && (error.name === "WrongBytes" || isWrongBytes(error.cause));
