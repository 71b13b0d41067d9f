import type { BlobSearch } from "../blob/locate.ts";
import { UsageError } from "../bytes/errors.ts";
import { oddities } from "../erofs/open.ts";
import { rootOf, walk } from "../fs/walk.ts";
import { checkData } from "./check-data.ts";
import { describeLine } from "./describe.ts";
import { blobFeatureWords, COMPRESSORS } from "./features.ts";
import { writeJson } from "./json-file.ts";
import { type ImageView, openImageView } from "./image-view.ts";

export interface CheckOptions {
  readonly bootstrap: string;
  /** Where the blobs are; without, only metadata is checked, as nydus-image does. */
  readonly search?: BlobSearch | undefined;
  /** Read all data, too. */
  readonly data: boolean;
  /** Print every entry. */
  readonly verbose: boolean;
  /** Where the result goes as JSON. */
  readonly outputJson?: string | undefined;
  /** `<version>-<commit>`, for the JSON. */
  readonly version: string;
}

/**
 * Checks an image: the whole tree, that its blobs are there and long enough when it is said where they are, and with
 * `data` that they are what they were.
 *
 * @param print gets text that ends with a newline; nothing that says "valid" before all is
 * @throws FormatError or OperationalError at the first problem, in one line; UsageError for `data` without `search`
 */
export async function checkImage(options: CheckOptions, print: (text: string) => void): Promise<void> {
  const { bootstrap, search, outputJson } = options;
  if (options.data && search === undefined)
    throw new UsageError("--data reads the blobs: name their directory with --blob-dir");
  const start = process.hrtime.bigint();
  const view = openImageView(bootstrap, search);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  try {
    if (options.data) await checkData(view);
    if (options.verbose)
      for (const walked of walk(view.fs, rootOf(view.fs))) print(`inode: ${describeLine(view, walked)}\n`);
  } finally {
    view.blobs.close();
  }
  const odd = oddities(view.report);
  if (odd !== undefined) print(`${odd}\n`);
  print(verdict(view));
  if (outputJson !== undefined) writeJson(outputJson, resultOf(view, options, seconds));
}

/** The lines of nydus-image; an image without RAFS tables has only what its device slots say. */
function verdict({ tables }: ImageView): string {
  const { rafs, devices, sb } = tables;
  const name = rafs === undefined ? "EROFS" : "RAFS";
  const rows =
    rafs?.blobs.map(
      (b, i) =>
        `${i}: ${b.id}, compressed size ${b.compressedSize}, uncompressed size ${b.plainSize}, ` +
        `chunk size: ${rafs.chunkSize}, chunk count: ${b.chunkCount}, features: ${blobFeatureWords(b.features)}`,
    ) ?? devices.map(({ id, blocks }, i) => `${i}: ${id || "(no id)"}, size ${blocks * sb.blockSize}`);
  return `${name} filesystem metadata is valid, referenced data blobs: \n${rows.map((row) => `\t ${row}\n`).join("")}`;
}

/** Keys and their order are nydus-image's. */
const resultOf = ({ tables }: ImageView, { version, bootstrap }: CheckOptions, seconds: number) => ({
  version,
  bootstrap,
  blobs: tables.devices.map(({ id }) => id),
  external_bootstrap: "",
  external_blobs: [],
  trace: { consumed_time: { load_tree_from_bootstrap: seconds }, registered_events: {} },
  fs_version: tables.rafs === undefined ? "erofs" : "6",
  compressor: COMPRESSORS[0],
});
