/** Why containerd is refused something, in its own words (errdefs); each has a code of gRPC. */
export type RefusalKind =
  | "not found"
  | "already exists"
  | "failed precondition"
  | "invalid argument"
  | "unimplemented"
  | "unavailable"
  | "resource exhausted"
  | "canceled";

/** What containerd is answered instead of what it asked for; it acts by the kind, people read the message. */
export class Refusal extends Error {
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** containerd shows the kind behind the message, as its own services do. */
export const refuse = (kind: RefusalKind, message: string): Refusal =>
  new Refusal(kind, `${message}: ${kind}`);
