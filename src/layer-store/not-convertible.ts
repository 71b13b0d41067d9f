/** A layer that is none of ours by its kind: somebody else may unpack it. Or layers that cannot be laid over one another here. */
export class NotConvertible extends Error {
  override readonly name = "NotConvertible";
  readonly reason: string;

  /** @param reason names the layer, or the image */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}
