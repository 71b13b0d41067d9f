import type { BlobFiles } from "../blob/blob-files.ts";
import type { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import type { Mutex } from "../counters/mutex.ts";
import { ReadLog } from "../trace/read-log.ts";

/** An image as a file system that logs what is read of it. */
class TracedFileSystem extends ImageFileSystem {
  private readonly log: ReadLog;
  private readonly mutex: Mutex | undefined;

  constructor(image: Image, blobs: BlobFiles, log: SharedArrayBuffer, mutex: Mutex | undefined) {
    super(image, blobs);
    this.log = new ReadLog(log);
    this.mutex = mutex;
  }

  override read(node: number, offset: number, length: number, out: Uint8Array, at: number): number {
    const result = super.read(node, offset, length, out, at);
    // Logged as it is answered: the time is that of the page that a reader waits for.
    if (result <= 0) return result;
    this.mutex?.lock();
    this.log.add(node, offset, result, performance.timeOrigin + performance.now());
    this.mutex?.unlock();
    return result;
  }
}

/**
 * @param log absent when nothing is traced: reads then cost what they do
 * @param mutex where several threads share it
 */
export const fileSystemOf = (
  image: Image,
  blobs: BlobFiles,
  log: SharedArrayBuffer | undefined,
  mutex?: Mutex,
) => (log === undefined ? new ImageFileSystem(image, blobs) : new TracedFileSystem(image, blobs, log, mutex));
