/** A layer as it lies in the store. */
export interface StoredLayer {
  /** `sha256:` and 64 digits: of its tar. */
  readonly diffId: string;
  readonly tarBytes: number;
  readonly bootstrapBytes: number;
  /** Path of its tar. */
  readonly tar: string;
  /** Path of its bootstrap, whose first device that is not `side` is the tar. */
  readonly bootstrap: string;
  /** What of its sparse files the tar cannot show: see mkfs/side-blob. */
  readonly side?: StoredBlob & { readonly bytes: number };
}

/** A file that a bootstrap refers to. */
interface StoredBlob {
  /** As the device table has it: 64 digits. */
  readonly id: string;
  readonly path: string;
}

/** A layer to convert. */
export interface LayerSource {
  readonly mediaType: string;
  /** Of the blob, as whoever has it names it: algorithm, colon, digits. */
  readonly digest: string;
  /** Bytes of the blob. */
  readonly size: number;
  /**
   * The blob itself: of a plain tar on the same file system the store has a second name, not a copy. A plain one is held to a
   * sha256; a compressed one is not, as containerd has done that: what nobody has looked at is to come as `stream`.
   */
  readonly file?: string | undefined;
  /**
   * Instead of a file: its bytes, which are held to the digest.
   *
   * @param signal nobody wants them any more; whoever asked first may be gone before that
   */
  readonly stream?: ((signal: AbortSignal) => AsyncIterable<Uint8Array>) | undefined;
}

/** Layers laid over one another. */
export interface Merged {
  /** What was merged, by which version of the builder: 64 digits. */
  readonly key: string;
  readonly bootstrap: string;
  readonly bootstrapBytes: number;
  /** In the order of the device table. */
  readonly blobs: readonly StoredBlob[];
}

/** Bytes of what is in the store, as files are long. */
export interface StoreUsage {
  /** And side blobs. */
  readonly tars: number;
  readonly bootstraps: number;
  readonly merged: number;
}

/** Told of what happens. */
export interface StoreLog {
  info(message: string): void;
  warn(message: string): void;
}
