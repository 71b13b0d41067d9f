import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Images that may be gone before their memory is given back. */
const PATIENCE = 32;

/**
 * Gives the memory of images that are gone back. It is shared, so no heap feels how much it is; and a thread that
 * serves makes no objects, so nothing else would make it collect.
 */
export class Garbage {
  private images = 0;

  /** Another image is gone. */
  add(): void {
    if (++this.images % PATIENCE !== 0) return;
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  }
}
