import type { HeldFiles } from "../blob/held-files.ts";
import type { Agreed } from "../fuse/init.ts";
import type { TrackedMountpoint } from "../mounts/tracked-mountpoint.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { ImageTable } from "./image-table.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Tracing } from "./tracing.ts";

/** What a session begins with, wherever that comes from: a mount that is about to be made, or what a process has left. */
export interface SessionSeed {
  /** The FUSE device, open. The session closes it in the end. */
  readonly device: number;
  /** Canonical path of the mountpoint, and where that is later. */
  readonly mountpoint: string;
  readonly place: TrackedMountpoint;
  /** Keeps the files of images open; and the most files that a thread may keep open beyond those. */
  readonly held: HeldFiles;
  readonly maxOpen: number;
  readonly terms: SessionTerms;
  /** What INIT agreed on, which the kernel says once; undefined: the first worker will be asked. */
  readonly agreed: Agreed | undefined;
  readonly takeovers: Takeovers;
  /** Puts the images of the beginning into the table. Before `attach`. */
  fill(table: ImageTable): void;
  /**
   * Has the kernel send requests: mounts, or has requests queued again that a process had read and not answered.
   *
   * @returns `major:minor` of the mount
   * @throws OperationalError; nothing is mounted then that was not before
   */
  attach(): string;
  /** INIT was answered. */
  onInit(): void;
  /** The connection ended before INIT was answered. */
  onNoInit(): Promise<void>;
}

/** What holds between kernel and file system as long as the mount lasts, whichever process serves it. */
interface SessionTerms {
  /** Longest READ in bytes that is offered. */
  readonly maxRead: number;
  readonly traits: Traits;
  /** One image, at the root, for good. */
  readonly isFixed: boolean;
  /** When the session began, s since 1970. */
  readonly since: number;
}

/** Processes that went on with a session, this one included, and those of them whose predecessor had died. */
export interface Takeovers {
  readonly all: number;
  readonly crashes: number;
}

/** An image, and where in the mount it is to be seen: names from the root on. */
export interface ImageAt {
  readonly names: readonly string[];
  readonly pinned: PinnedImage;
  /** Writes down what is read first of it. */
  readonly tracing?: Tracing | undefined;
}
