import { z } from "zod";
import { show } from "../config-file/check.ts";

/*
 * The two layouts of nydusd's configuration, as far as TARFS goes. Source: nydus, api/src/config.rs.
 * Unknown keys are dropped by parsing (`config-notes.ts` names them); a key that nydusd reads but that has no
 * effect here only has its type checked. What would promise something that is not done is refused.
 */

const REMOTE: readonly unknown[] = ["registry", "oss", "s3", "http-proxy", "localdisk"];
const NO_DIGESTS =
  "TARFS data has no digests to check it with; compare each tar's sha256 with its name instead";
const NO_COMPRESSION = "TARFS data is read from the tars as it is, nothing is compressed";

const flag = z.boolean().optional();
const whole = z
  .int({ error: (issue) => `is ${show(issue.input)}, want a whole number` })
  .min(0, { error: (issue) => `is ${show(issue.input)}, want 0 or more` })
  .optional();
const refused = (why: string) =>
  z
    .boolean()
    .default(false)
    .refine((value) => !value, { error: `true is not supported: ${why}` });
const ignored = z.unknown().optional();

const backendType = z.literal("localfs", {
  error: ({ input }) =>
    REMOTE.includes(input)
      ? `${show(input)} is not supported: only localfs is served: the tars must be files on this machine`
      : undefined,
});

const cacheType = z
  .enum(["blobcache", "filecache", "dummycache", ""], {
    error: ({ input }) =>
      input === "fscache"
        ? '"fscache" is not supported: it cannot hold TARFS data (nydusd refuses that too)'
        : undefined,
  })
  .default("");

const localfs = z
  .object(
    {
      dir: z.string().default(""),
      alt_dirs: z.array(z.string().min(1, { error: "is empty, want a directory" })).default([]),
      blob_file: z.string().default(""),
    },
    {
      // nydus's own documentation has this mistake (docs/nydusd.md, overlay example).
      error: ({ input }) =>
        typeof input === "string" ? `is a string, want an object such as {"dir": ${show(input)}}` : undefined,
    },
  )
  .refine((fs) => fs.dir !== "" || fs.blob_file !== "", { error: 'gives neither "dir" nor "blob_file"' });

const fileCache = z
  .object({
    work_dir: z.string().min(1, { error: "is empty, want a directory" }).optional(),
    disable_indexed_map: flag,
    enable_encryption: flag,
    enable_convergent_encryption: flag,
    encryption_key: z.string().optional(),
  })
  .nullish();

const cache = {
  type: cacheType,
  compressed: refused(NO_COMPRESSION),
  validate: refused(NO_DIGESTS),
};

/** Version 1: JSON only, everything under `device`, `mode` required. */
export const configV1 = z.object({
  device: z.object({
    id: z.string().optional(),
    backend: z.object({ type: backendType, config: localfs }),
    external_backends: z.array(z.unknown()).optional(),
    cache: z.object({ ...cache, config: fileCache }).prefault({}),
  }),
  mode: z.enum(["direct", "cached"]),
  digest_validate: refused(NO_DIGESTS),
  // Without effect in nydusd too: it serves whatever xattrs the super block announces (rafs/src/fs.rs).
  enable_xattr: flag,
  iostats_files: flag,
  access_pattern: flag,
  latest_read_files: flag,
  amplify_io: whole,
  fs_prefetch: z
    .object({
      enable: z.boolean().default(false),
      threads_count: whole,
      merging_size: whole,
      bandwidth_rate: whole,
      prefetch_all: z.boolean().default(true),
      stream_prefetch: flag,
    })
    .optional(),
});

export const prefetchSection = z.object({
  enable: z.boolean().default(false),
  threads: whole,
  batch_size: whole,
  bandwidth_limit: whole,
  prefetch_all: z.boolean().default(true),
  stream_prefetch: flag,
});
const prefetch = prefetchSection.optional();

/** Version 2: JSON or TOML, `version` is 2. */
export const configV2 = z.object({
  version: z.literal(2),
  id: z.string().optional(),
  backend: z.object({
    type: backendType,
    localfs,
    localdisk: ignored,
    oss: ignored,
    s3: ignored,
    registry: ignored,
    "http-proxy": ignored,
  }),
  external_backends: z.array(z.unknown()).optional(),
  cache: z.object({ ...cache, prefetch, filecache: fileCache, fscache: ignored }).nullish(),
  rafs: z
    .object({
      mode: z.enum(["direct", "cached"]).default("direct"),
      batch_size: whole,
      validate: refused(NO_DIGESTS),
      enable_xattr: flag,
      iostats_files: flag,
      access_pattern: flag,
      latest_read_files: flag,
      prefetch,
    })
    .nullish(),
  // Ignoring it would show other files than nydusd does: those of the upper directory would be missing.
  overlay: ignored.refine((value) => value == null, {
    error: "is not supported: mount a kernel overlayfs over the read-only mount instead",
  }),
});
