import { resolve } from "node:path";
import { PIECE } from "../prefetch/prefetch.ts";
import type { ImageChoice } from "../session/pinned-image.ts";

/**
 * What the API shows as configuration: how this daemon serves, in nydusd's words (version 2), as nydusctl reads it. Keys
 * of backends that there are not here are null, as there.
 */
export function configOf({ id, places, records, prefetch: asked }: ImageChoice): Record<string, unknown> {
  const [dir = "", ...others] = places.dirs.map((each) => resolve(each));
  const prefetch = {
    enable: asked !== undefined,
    threads: asked === undefined ? 0 : 1,
    batch_size: asked === undefined ? 0 : PIECE,
    bandwidth_limit: asked?.rate ?? 0,
    prefetch_all: asked?.isAll ?? false,
    stream_prefetch: false,
  };
  return {
    version: 2,
    id,
    backend: {
      type: "localfs",
      localdisk: null,
      localfs: { blob_file: places.single ?? "", dir, alt_dirs: others },
      oss: null,
      s3: null,
      registry: null,
      "http-proxy": null,
    },
    external_backends: [],
    cache: {
      type: "dummycache",
      compressed: false,
      validate: false,
      prefetch,
      filecache: null,
      fscache: null,
    },
    rafs: {
      mode: "direct",
      batch_size: 0,
      validate: false,
      enable_xattr: true,
      iostats_files: records.counts,
      access_pattern: records.pattern,
      latest_read_files: records.latest,
      prefetch,
    },
    overlay: null,
  };
}
