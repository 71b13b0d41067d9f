import type { ImageLayer } from "./documents.ts";
import type { Platform } from "./platform.ts";

/** An image for one platform. */
export interface PlatformImage {
  /** Those that name it alone: of its manifest, of its configuration. */
  readonly digests: readonly string[];
  /** Digests of the indexes that lead to it. */
  readonly indexes: readonly string[];
  /** undefined when neither index nor configuration says it. */
  readonly platform: Platform | undefined;
  /** The lowest first; or why they cannot be had. */
  readonly layers: readonly ImageLayer[] | Error;
}

/** An image as people name it, for one platform or several. */
export interface ImageEntry {
  /** Each names it alone. */
  readonly names: readonly string[];
  /** Tags beside whole names: other images may have the same. */
  readonly tags: readonly string[];
  /** Of a manifest, an index, or a configuration. */
  readonly digest: string;
  /** Where it stands in the list of images, from 0. */
  readonly positions: readonly number[];
  /** In the order of their index: the first that fits is meant. */
  readonly images: readonly PlatformImage[];
  /** It is a list, even if one image is in it. */
  readonly isIndex: boolean;
  /** The list in which it stands says for which platform it is. */
  readonly isOfPlatform: boolean;
}

/** What lies among images but is none: a signature, an attestation, a chart. */
export interface Artifact {
  readonly names: readonly string[];
  readonly digest: string;
  readonly type: string;
}

/** All that can be chosen from. */
export interface ImageList {
  readonly entries: readonly ImageEntry[];
  readonly artifacts: readonly Artifact[];
}
