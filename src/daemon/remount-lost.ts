import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { mountPath } from "../pseudo/pseudo-tree.ts";
import { reopenAndPin } from "../session/reopen-image.ts";
import { StateFile } from "../handover/state-file.ts";
import type { Served } from "./lifecycle.ts";

/**
 * Mounts what a session had whose FUSE device is lost, and is not there yet.
 *
 * @param base path of its state, without the end
 */
export async function remountLost(
  base: string,
  { session: { images, changes }, held }: Served,
  log: Logger,
): Promise<void> {
  const file = StateFile.at(base);
  const state = file.read();
  for (const image of state?.images ?? []) {
    const names = state?.places[image.place].names ?? [];
    const path = mountPath(names);
    const isLast = state?.images.findLast(({ place }) => place === image.place) === image;
    if (!image.isShown || !isLast || images().some((shown) => shown.path === path)) continue;
    try {
      await changes?.mount(names, reopenAndPin(image, file.readChecked(image.serial), held, log));
      log.info(`mounted ${image.source} at ${path} anew`);
    } catch (error) {
      log.error(`${path}: ${messageOf(error)}`);
    }
  }
  file.remove();
}
