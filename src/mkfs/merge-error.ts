/** Layers that cannot be one image: exit status 2, as nydus-image. */
export class MergeError extends Error {
  override readonly name = "MergeError";
}
