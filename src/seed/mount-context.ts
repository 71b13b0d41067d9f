import { HeldFiles } from "../blob/held-files.ts";
import type { BlobSearch } from "../blob/locate.ts";
import { UsageError } from "../bytes/errors.ts";
import type { Verdicts } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import { setOpenFiles } from "../proc/file-limit.ts";
import { namesOf } from "../pseudo/pseudo-tree.ts";
import { fileBudget } from "../session/file-budget.ts";
import type { FileRecords } from "../session/file-records.ts";
import { openAndPin, unpinImage } from "../session/pinned-image.ts";
import type { PrefetchOptions } from "../session/prefetching.ts";
import type { ImageAt } from "../session/seed.ts";
import type { Tracing } from "../session/tracing.ts";
import { counterRows } from "../session/worker-limits.ts";
import type { HashWords } from "../verity/hash-words.ts";
import type { Claim } from "./claim.ts";
import { prepareMountpoint } from "./mountpoint.ts";

/** What there is before anything is mounted, for any mount backend. */
export interface MountContext {
  /** Canonical path of a directory that can be mounted on. */
  readonly mountpoint: string;
  /** No other process mounts there, until this is released: when it is mounted, or will not be. */
  readonly claim: Claim;
  /** Keeps the files of images open, until the process ends or they are released. */
  readonly held: HeldFiles;
  /** Most files that a thread may keep open beyond those. */
  readonly maxOpen: number;
  /** The image to begin with. */
  readonly first: ImageAt | undefined;
  /** Shown as the mount's source; undefined: the path of the image. */
  readonly name: string | undefined;
}

/** What was asked for. */
export interface MountWish {
  readonly mountpoint: string;
  readonly name?: string | undefined;
  /** Mount over what is there. */
  readonly force: boolean;
  /** The image to begin with; undefined: there is none yet. */
  readonly bootstrap: string | undefined;
  /** Where that image is to be seen within the mount: `/` is all of it. */
  readonly virtualMountpoint: string;
  readonly places: BlobSearch;
  readonly lenient: boolean;
  readonly strict: boolean;
  readonly fileRecords: FileRecords;
  /** The hash tree that the image is held to. */
  readonly verity?: HashWords | undefined;
  readonly prefetch?: PrefetchOptions | undefined;
  /** Where first reads of it are written down; undefined: nowhere. */
  readonly trace?: string | undefined;
  readonly threads: number;
  /** See OpenOptions. */
  readonly verdicts?: Verdicts | undefined;
  /** Files that the process may have open; undefined leaves the limit. */
  readonly openFiles: number | undefined;
}

/** @throws OperationalError, FormatError */
export async function prepareMount(wish: MountWish, log: Logger): Promise<MountContext> {
  const { virtualMountpoint } = wish;
  const names = namesOf(virtualMountpoint);
  if (names === undefined)
    throw new UsageError(`virtual mountpoint ${virtualMountpoint}: want an absolute path without . and ..`);
  // Not before: modules are loaded many at a time, those of the API more than 64.
  if (wish.openFiles !== undefined) setOpenFiles(wish.openFiles);
  const { mountpoint, claim } = await prepareMountpoint(wish.mountpoint, wish.force, log);
  try {
    return { ...(await openFirst(wish, names, log)), mountpoint, claim, name: wish.name };
  } catch (error) {
    claim.release();
    throw error;
  }
}

async function openFirst(
  wish: MountWish,
  names: readonly string[],
  log: Logger,
): Promise<Pick<MountContext, "held" | "maxOpen" | "first">> {
  const { bootstrap, places, lenient, strict, fileRecords: records, prefetch, verity } = wish;
  const { held: most, each: maxOpen } = fileBudget(wish.threads);
  const held = new HeldFiles(most);
  if (bootstrap === undefined) return { held, maxOpen, first: undefined };
  const pinned = openAndPin(
    { bootstrap, places, lenient, strict, id: "", records, prefetch, verity },
    held,
    log,
    wish.verdicts,
  );
  const tracing = await startTracing(wish, log); // the list was read already: it may be the same file
  return { held, maxOpen, first: { names, pinned, tracing } };
}

/** What was prepared is not used: another process prepares it for itself. */
export async function releaseMount({ first, held, claim }: MountContext): Promise<void> {
  claim.release();
  if (first !== undefined) await unpinImage(first.pinned, held);
}

/** Loaded only when it is asked for. @throws OperationalError */
async function startTracing({ trace, threads }: MountWish, log: Logger): Promise<Tracing | undefined> {
  if (trace === undefined) return undefined;
  return new (await import("../session/tracing.ts")).Tracing(trace, counterRows(threads), log);
}
