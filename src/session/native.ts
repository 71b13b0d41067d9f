import { statfs } from "node:fs/promises";
import { BlobFiles } from "../blob/blob-files.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { FUSE_TYPE } from "../fuse/device.ts";
import { opName } from "../vfs/opcodes.ts";
import { type Mounted, mount } from "../fuse-native/mount.ts";
import { checkMountpoint, optionString } from "../fuse-native/options.ts";
import { findNonUtf8 } from "../fuse-native/utf8.ts";
import type { Logger } from "../log/log.ts";
import { COUNT, countersOf, newCounters, sumOf } from "../counters/counters.ts";
import { progressOf } from "../counters/prefetch-progress.ts";
import { isDeadMount } from "../mounts/dead.ts";
import { leaveMount } from "../mounts/leave.ts";
import type { Mountpoint } from "../mounts/tracked-mountpoint.ts";
import { mountAt } from "../mounts/table.ts";
import type { Traits } from "../vfs/file-system.ts";
import type { Ended } from "./ended.ts";
import { corruptBlocks } from "./corrupt-blocks.ts";
import { countsFiles } from "./file-records.ts";
import { Prefetching } from "./prefetching.ts";
import type { PinnedImage } from "./pinned-image.ts";
import { fileSystemOf } from "./traced-file-system.ts";
import type { ImageAt } from "./seed.ts";
import type { Session, SessionFacts } from "./transport.ts";

/** After an unmount, how long those still inside are served. */
const GRACE_MS = 5_000;
/** What libfuse 2.9.9 speaks, and what it cannot change: without MAX_PAGES a READ has 32 pages at most. */
const FACTS: SessionFacts = { transport: "fuse-native", workers: 1, protocol: "7.19", max_read: 131_072 };

/** What is to be mounted. */
export interface NativeRequest {
  readonly first: ImageAt | undefined;
  /** Canonical path of the mountpoint, and where that is later. */
  readonly mountpoint: string;
  readonly place: Mountpoint;
  /** Shown as the mount's source. */
  readonly source: string;
  /** Mount options beside those that every mount has. */
  readonly options: readonly string[];
  readonly log: Logger;
}

/**
 * Mounts with the npm package fuse-native and serves from this thread, which therefore must never wait for
 * the mount itself.
 *
 * @returns once INIT was answered
 * @throws OperationalError when the package cannot be loaded, the image has text that cannot pass through it, or
 *   the mount cannot be made; nothing is mounted then
 */
export async function serveNative(request: NativeRequest): Promise<Session> {
  const { first, mountpoint, place, log } = request;
  if (first === undefined || first.names.length > 0)
    throw new OperationalError("fuse-native shows one image, at the root: use --transport direct");
  const { image, choice } = first.pinned;
  if (countsFiles(choice.records)) log.warn("files are counted one by one with --transport direct only");
  const shared = newCounters(1);
  const counters = countersOf(shared, 0);
  const held = new Image(image.handle);
  const tellCorrupt = corruptBlocks(held, image.files, (message) => log.warn(message));
  const onFailure = (_: number, problem: string) => {
    counters[COUNT.LOST_BLOBS]++;
    log.warn(problem);
  };
  const blobs = new BlobFiles(image.files, onFailure, undefined, undefined, (...block) => {
    counters[COUNT.CORRUPT_BLOCKS]++;
    tellCorrupt(...block);
  });
  const fs = fileSystemOf(held, blobs, first.tracing?.logs[0]);

  checkMountpoint(mountpoint);
  const options = optionString(request.source, FUSE_TYPE.slice("fuse.".length), request.options);
  const problem = findNonUtf8(fs);
  if (problem !== undefined)
    throw new OperationalError(`fuse-native cannot show ${problem}: use --transport direct`);
  if (fs.traits.hasAcls) meetAcls(log);

  const before = mountAt(mountpoint)?.device;
  let mounted: Mounted;
  try {
    mounted = await mount({
      fs,
      mountpoint,
      options,
      counters,
      onUnexpected: (opcode, error) => log.warn(`${opName(opcode)}: ${messageOf(error)}`),
      trace: (line) => log.trace(line),
      watchTrace: (changed) => void log.watchTrace(changed),
    });
  } catch (error) {
    blobs.close();
    if (mountAt(mountpoint)?.device !== before) await leaveMount(place);
    throw error;
  }
  return session(request, mounted, blobs, shared, fs.traits);
}

function session(
  { first, mountpoint, place, log }: NativeRequest,
  mounted: Mounted,
  blobs: BlobFiles,
  counters: SharedArrayBuffer,
  traits: Traits,
): Session {
  const device = mountAt(mountpoint)?.device ?? "";
  let end: (ended: Ended) => void = () => {};
  const ended = new Promise<Ended>((resolve) => {
    end = resolve;
  });
  void mounted.closed.then(async () => {
    const isAborted = await isDead(place.path, device).catch(() => false); // no descriptor left to find out
    end({ how: isAborted ? "aborted" : "unmounted", message: "" });
  });
  void ended.then(() => {
    mounted.release();
    blobs.close();
  });
  const since = new Date();
  const shown = (pinned: PinnedImage) => ({
    ...{ path: "/", pinned, since },
    instances: [{ slot: 0, pinned, accounts: [] }],
  });
  const prefetching = first?.pinned.prefetching ?? new Prefetching(undefined, log);

  const stopServing = () => end({ how: "stopped", message: "" });
  let isStopping = false;
  return {
    facts: FACTS,
    device,
    ended: ended.then(async (end) => {
      await prefetching.stop();
      return end;
    }),
    counts: () => sumOf([counters]),
    inflight: () => [], // calls are answered by this thread, which cannot look meanwhile
    failedBlobs: () => sumOf([counters])[COUNT.LOST_BLOBS],
    prefetched: () => progressOf(prefetching.progress),
    traits,
    images: () => (first === undefined ? [] : [{ ...shown(first.pinned), counts: () => sumOf([counters]) }]),
    changes: undefined,
    workers: () => 1,
    takeovers: { all: 0, crashes: 0 },
    transfer: undefined,
    stop: async () => {
      if (isStopping) {
        stopServing();
        return;
      }
      isStopping = true;
      const how = await leaveMount(place, device);
      mounted.hurry();
      if (how === "detached")
        log.warn(
          `${mountpoint} is busy: detached; processes that use it are served for ${GRACE_MS / 1000} s more`,
        );
      const timer = setTimeout(stopServing, GRACE_MS);
      void ended.then(() => clearTimeout(timer));
    },
  };
}

/**
 * A mount outlives its connection when that was aborted. Its device number may be another mount's by now,
 * but that one answers; STATFS is never answered from a cache.
 */
const isDead = async (mountpoint: string, device: string): Promise<boolean> =>
  mountAt(mountpoint)?.device === device && statfs(mountpoint).then(() => false, isDeadMount);

/**
 * libfuse 2 cannot ask the kernel to enforce ACLs, which may deny what the mode bits allow. Root's mount is
 * open to everybody, and root has the other transport; a user's mount is open to that user alone.
 */
function meetAcls(log: Logger): void {
  const what = "the image has ACLs, and with fuse-native the kernel goes by mode bits only";
  if (isRoot()) throw new OperationalError(`${what}: use --transport direct`);
  log.warn(what);
}

const isRoot = (): boolean => process.geteuid?.() === 0;
