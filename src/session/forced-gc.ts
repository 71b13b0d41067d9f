import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What may be freed before it is given back: so many images, or so many bytes of them. */
const IMAGES = 32;
const BYTES = 16 << 20;

/**
 * Collects garbage after images were freed. Their memory is shared, so V8 does not count it to any heap; and a thread that
 * serves makes no objects, so nothing else would make V8 collect.
 */
export class ForcedGc {
  private images = 0;
  private bytes = 0;

  /** The last reference to another image is about to be dropped. */
  freed(bytes: number): void {
    this.images++;
    this.bytes += bytes;
  }

  /** To be called when references were dropped. */
  collectIfDue(): void {
    if (this.images < IMAGES && this.bytes < BYTES) return;
    this.images = 0;
    this.bytes = 0;
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  }
}
