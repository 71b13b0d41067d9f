import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What may be gone before it is given back: so many images, or so many bytes of them. */
const IMAGES = 32;
const BYTES = 16 << 20;

/**
 * Gives the memory of images that are gone back. It is shared, so no heap feels how much it is; and a thread that
 * serves makes no objects, so nothing else would make it collect.
 */
export class ForcedGc {
  private images = 0;
  private bytes = 0;

  /** Another image is gone. */
  freed(bytes: number): void {
    this.images++;
    this.bytes += bytes;
  }

  /** To be called when nobody holds them any more. */
  collectIfDue(): void {
    if (this.images < IMAGES && this.bytes < BYTES) return;
    this.images = 0;
    this.bytes = 0;
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  }
}
