import type { HeldFiles } from "../../src/blob/held-files.ts";
import type { Log } from "../../src/log/log.ts";
import { ImageTable } from "../../src/session/image-table.ts";
import { Notifier } from "../../src/session/notifier.ts";
import { Publisher } from "../../src/session/publisher.ts";

/** The images of a session with one worker that never change, so that the kernel is never told of anything. */
export function stillImages(
  held: HeldFiles,
  control: SharedArrayBuffer,
  inflightTable: SharedArrayBuffer,
  log: Log,
): { publisher: Publisher; imageTable: ImageTable } {
  const publisher = new Publisher({
    notifier: new Notifier(async () => {}, log),
    control: new Int32Array(control),
    inflightTable,
    probe: async () => {},
  });
  const imageTable = new ImageTable({
    ...{ limit: 1, push: true, held, publisher, log },
    beforeFree: async () => {},
    beforeChange: () => {},
  });
  return { publisher, imageTable };
}
