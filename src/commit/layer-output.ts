import { createHash } from "node:crypto";
import { once } from "node:events";
import { createGzip } from "node:zlib";
import type { Output } from "../atomic-file/output.ts";

/** An output whose bytes are counted and hashed on their way. */
export interface HashedOutput extends Output {
  readonly size: number;
  /** `sha256:…` of what was written; to be asked for once, when all is. */
  digest(): string;
}

export function hashed(out: Output): HashedOutput {
  const hash = createHash("sha256");
  let size = 0;
  return {
    write: (bytes) => {
      hash.update(bytes);
      size += bytes.length;
      return out.write(bytes);
    },
    commit: () => out.commit(),
    discard: () => out.discard(),
    get size() {
      return size;
    },
    digest: () => `sha256:${hash.digest("hex")}`,
  };
}

/** The same bytes in gzip, which has no name and no time in it: what is the same stays the same. */
export function gzipped(out: Output): Output {
  const gzip = createGzip();
  const written = (async () => {
    for await (const bytes of gzip as AsyncIterable<Uint8Array>) await out.write(bytes);
  })();
  written.catch(() => {}); // thrown by the next of the three
  gzip.on("error", () => {}); // comes out of that, too
  return {
    write: async (bytes) => {
      if (!gzip.write(bytes)) await Promise.race([once(gzip, "drain"), written]);
    },
    commit: async () => {
      gzip.end();
      await written;
      await out.commit();
    },
    discard: async () => {
      gzip.destroy();
      await written.catch(() => {});
      await out.discard();
    },
  };
}
