import { freemem } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BlobFiles } from "../blob/blob-files.ts";
import { messageOf } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import { newProgress, PROGRESS, progressOf } from "../counters/prefetch-progress.ts";
import { type PrefetchList, parseList, readList } from "../prefetch/list.ts";
import { Planner } from "../prefetch/plan.ts";
import { resolveList, namesDirectory, wholeNodes } from "../prefetch/request.ts";
import { type Limits, prefetch } from "../prefetch/prefetch.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { swapRoot } from "../vfs/node-id.ts";

/** What is to be prefetched, and within what bounds. */
export interface PrefetchOptions {
  /** Path of a list or a trace, or paths in the image; undefined: what the image's own table names. */
  readonly list: string | readonly string[] | undefined;
  /** After that, everything else. */
  readonly isAll: boolean;
  /** Bytes a second, 0: as fast as it goes. */
  readonly rate: number;
  /** Bytes in all; undefined: half of the memory that is available. */
  readonly memory: number | undefined;
}

/**
 * Reads one image's tars into the page cache, from the main thread: it has nothing to do while the image is used, and the
 * disk is waited for elsewhere. A thread of its own would take its start from a machine that is busy with another's.
 */
export class Prefetching {
  /** See counters/prefetch-progress. */
  readonly progress = newProgress();
  private readonly options: PrefetchOptions | undefined;
  private readonly log: Logger;
  private readonly list: PrefetchList | undefined;
  private readonly cancel = new AbortController();
  private ended: Promise<void> = Promise.resolve();
  private onMounted: () => void = () => {};
  private readonly mounted = new Promise<void>((resolve) => {
    this.onMounted = resolve;
  });

  /**
   * Reads the list.
   *
   * @param options undefined: nothing is to be prefetched
   * @throws OperationalError
   */
  constructor(options: PrefetchOptions | undefined, log: Logger) {
    this.options = options;
    this.log = log;
    this.list = listOf(options?.list);
  }

  /** Begins, if there is anything to be prefetched, while mounting waits for the kernel. */
  begin(image: OpenedImage): void {
    if (this.options !== undefined) this.ended = this.run(image, this.options);
  }

  /** The image can be seen: now what needs a walk of it may begin. Resolves when all is read. */
  finish(): Promise<void> {
    this.onMounted();
    return this.ended;
  }

  /** Cancels it. @returns when the tars were let go of */
  stop(): Promise<void> {
    this.cancel.abort();
    return this.finish();
  }

  private async run(opened: OpenedImage, options: PrefetchOptions): Promise<void> {
    await nextTurn();
    const progress = new Float64Array(this.progress);
    const now = () => performance.timeOrigin + performance.now();
    // A blob that fails is reported by the worker that serves a READ of it.
    const blobs = new BlobFiles(opened.files, () => {});
    try {
      const image = new Image(opened.handle);
      const fs = new ImageFileSystem(image, blobs);
      const planner = new Planner(fs, image);
      const limits: Limits = { rate: options.rate, memory: options.memory ?? freemem() / 2 };
      const everything = options.isAll ? [wholeNodes([ROOT_NODE])] : [];
      for (const request of [this.firstOf(opened, fs), ...everything]) {
        if (request.length === 0) continue;
        if (namesDirectory(fs, request)) await this.mounted;
        if (this.cancel.signal.aborted) return;
        progress[PROGRESS.BEGIN] ||= now();
        await prefetch(planner.plan(request), blobs, limits, this.cancel.signal, progress);
      }
    } catch (error) {
      if (!this.cancel.signal.aborted) this.log.error(`prefetch failed: ${messageOf(error)}`);
    } finally {
      blobs.close();
      if (progress[PROGRESS.BEGIN] > 0) {
        progress[PROGRESS.END] = now();
        const { files, bytes, begin, end } = progressOf(this.progress);
        this.log.info(`prefetched ${files} files, ${bytes} bytes in ${Math.round(end - begin)} ms`);
      }
    }
  }

  /** What the list names, or else the image's table. */
  private firstOf({ handle, report }: OpenedImage, fs: ImageFileSystem): Float64Array {
    if (this.list === undefined)
      return wholeNodes(report.prefetch.map((nid) => swapRoot(nid, handle.rootNid)));
    const { rows, missing } = resolveList(fs, this.list.entries());
    if (missing > 0) this.log.warn(`prefetch list: ${missing} of its lines name no file of the image`);
    return rows;
  }
}

/** @throws OperationalError */
function listOf(list: PrefetchOptions["list"]): PrefetchList | undefined {
  if (list === undefined || typeof list === "string") return list === undefined ? undefined : readList(list);
  return parseList(Buffer.from(list.join("\n")), "of the request");
}
