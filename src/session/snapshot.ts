/*
 * A session as another process can go on with it: plain values, so that they can be written down. Nothing here is a
 * descriptor, because that means nothing elsewhere.
 */

/** A file by path, and what it was: another one will not do. Times in ms since 1970. */
interface FileState {
  readonly path: string;
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly born: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** Counts that are not zero: place and value. */
type Counts = readonly (readonly [at: number, count: number])[];

/** An image that has a slot. */
export interface ImageState {
  readonly slot: number;
  readonly serial: number;
  readonly rootNode: number;
  readonly rootIno: number;
  readonly parent: number;
  /** Of its place, in `places`. */
  readonly place: number;
  readonly isShown: boolean;
  /** It took the place of the image before it in the list that has the same place. */
  readonly isSuccessor: boolean;
  readonly isPushed: boolean;
  /** How it was chosen, for clients of the API; never read to find it. */
  readonly choice: unknown;
  readonly source: string;
  readonly isLenient: boolean;
  /** The image, then its blobs. */
  readonly files: readonly FileState[];
}

/** Where images are or were shown. */
interface PlaceState {
  readonly names: readonly string[];
  /** ms since 1970 */
  readonly since: number;
  readonly counts: Counts;
}

/** A name in a virtual directory. */
export interface EntryState {
  readonly directory: number;
  readonly name: string;
  readonly cookie: number;
  readonly node: number;
  readonly ino: number;
}

/** The images of a session. */
export interface ImagesState {
  readonly places: readonly PlaceState[];
  /** In the order in which they came. */
  readonly images: readonly ImageState[];
  readonly entries: readonly EntryState[];
  readonly lastDirectory: number;
  readonly lastCookie: number;
  readonly serial: number;
  /** Slots that no image may have again. */
  readonly burnt: readonly number[];
  /** Of what concerns no image, and of images that are gone. */
  readonly counts: Counts;
}

/** A session at one moment. */
export interface SessionSnapshot extends ImagesState {
  /** Canonical. */
  readonly mountpoint: string;
  /** `major:minor` of the mount; undefined: it is about to be made. */
  readonly device: string | undefined;
  /** What INIT agreed on: the kernel never says it again. */
  readonly agreed: { readonly minor: number; readonly maxRead: number };
  readonly traits: { readonly hasXattrs: boolean; readonly hasAcls: boolean };
  /** One image, for good. */
  readonly isFixed: boolean;
  /** Number of a request that was read not long before. */
  readonly lastUnique: number;
  /** When the session began, s since 1970. */
  readonly since: number;
  /** Times that another process went on with it, and those of them when the one before it had died. */
  readonly takeovers: { readonly all: number; readonly crashes: number };
}

/** What is known of an image that was checked, so that it need not be checked again. Bytes in base64. */
export interface CheckedState {
  readonly sound: string;
  readonly loaded: string;
  readonly hasXattrs: boolean;
  readonly hasAcls: boolean;
  readonly inodes: number;
  readonly directories: number;
}
