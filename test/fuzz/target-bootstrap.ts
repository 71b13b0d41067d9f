import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BlobSearch } from "../../src/blob/locate.ts";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { type OpenedImage, openImage } from "../../src/fs/open-image.ts";
import { placesOf } from "./image-places.ts";
import { mutateImage } from "./mutate-image.ts";
import { scrutinize } from "./scrutiny.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
/** Small ones of each builder: TARFS, merged, RAFS, and EROFS with every layout that is served. */
const SEEDS = [
  ...["01-basic/image.boot", "03-gnu-longname/image.boot", "07-prefetch/image.boot", "08-nodata/image.boot"],
  ...["12-merged/image.boot", "23-erofs-blobdev-indexes/image.erofs", "24-erofs-tar-index/image.erofs"],
];
/** Bytes of the blob that stands behind every id. */
const BLOB = 2 << 20;

/** The opener and all that serves what it lets in: whole, and leniently what is left of it. */
export const bootstrapTarget: MakeTarget = (dir) => {
  const path = join(dir, "image");
  const blobDir = join(dir, "blobs");
  mkdirSync(blobDir);
  const blob = Uint8Array.from({ length: BLOB }, (_, i) => (i * 31) ^ (i >> 9));
  // What a blob id could lead to, if it could.
  for (const trap of ["outside", "outside.tar", "blobs.tar"]) writeFileSync(join(dir, trap), blob);
  const seeds = SEEDS.map((name) => Uint8Array.from(readFileSync(join(FIXTURES, name))));
  const ids = new Set(seeds.flatMap((seed) => placesOf(seed).ids));
  for (const id of ids) writeFileSync(join(blobDir, id), blob);
  const unnamed = new Map([1, 2, 3, 4].map((slot) => [String(slot), join(blobDir, "unnamed")]));
  writeFileSync(join(blobDir, "unnamed"), blob);

  const open = (lenient: boolean): OpenedImage | undefined => {
    try {
      const places: BlobSearch = { dirs: [blobDir], files: lenient ? unnamed : new Map() };
      return openImage(path, places, { lenient, strict: true }); // what Linux shows in its own way: test/erofs/odd
    } catch (error) {
      refusal(error, FormatError, OperationalError);
      return undefined;
    }
  };
  const examine = (opened: OpenedImage, lenient: boolean) => {
    for (const file of opened.files)
      must(
        file.path === path || dirname(file.path) === blobDir || file.path === "",
        () => `the image reaches ${file.path}`,
      );
    return scrutinize(opened, lenient);
  };

  const run = (input: Uint8Array): Verdict => {
    writeFileSync(path, input);
    const strict = open(false);
    const lenient = open(true);
    if (strict !== undefined) {
      const whole = examine(strict, false);
      must(lenient !== undefined, () => "refused leniently what is without a fault");
      must(strict.report.corrupt === 0, () => "corrupt, and not refused");
      const left = examine(lenient, true);
      must(
        JSON.stringify([...left]) === JSON.stringify([...whole]) || lenient.report.corrupt > 0,
        () => "a lenient open shows something else of an image without a fault",
      );
    } else if (lenient !== undefined) examine(lenient, true);
    return lenient === undefined ? "refused" : "accepted";
  };
  return { seeds, longest: 256 << 10, memory: 256, mutate: mutateImage, run };
};
