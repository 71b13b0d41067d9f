import { OperationalError } from "../../src/bytes/errors.ts";
import { parseConfig } from "../../src/daemon/config.ts";
import { mutateText } from "./mutate-text.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";

const V1 = {
  device: {
    id: "x",
    backend: { type: "localfs", config: { dir: "/b", alt_dirs: ["/c"], blob_file: "", readahead: true } },
    cache: { type: "blobcache", config: { work_dir: "/w", disable_indexed_map: false }, compressed: false },
  },
  mode: "direct",
  digest_validate: false,
  iostats_files: true,
  amplify_io: 1024,
  fs_prefetch: { enable: true, threads_count: 4, bandwidth_rate: 0, prefetch_all: true },
};
const V2 = {
  version: 2,
  id: "x",
  backend: { type: "localfs", localfs: { dir: "/b", alt_dirs: [], blob_file: "/f" } },
  cache: {
    type: "filecache",
    validate: false,
    filecache: { work_dir: "/w" },
    prefetch: { enable: true, bandwidth_limit: 9 },
  },
  rafs: {
    mode: "cached",
    batch_size: 7,
    enable_xattr: true,
    prefetch: { enable: true, prefetch_all: false },
  },
};
const TOML = `# nydusd
version = 2
id = "x"
[backend]
type = "localfs"
[backend.localfs]
dir = '/b'
alt_dirs = ["/c", "/d"]
[cache]
type = "filecache"
[cache.filecache]
work_dir = "/w"
[[odd]]
a.b = 1979-05-27T07:32:00Z
c = [ 0x10, 1_000, inf, """x
y""" ]
[rafs.prefetch]
enable = true
`;
const VALUES = [
  ...[
    "localfs",
    "registry",
    "oss",
    "blobcache",
    "fscache",
    "dummycache",
    "direct",
    "cached",
    "/b",
    "",
    "[[",
    "'''",
    '"""',
  ],
  ...["= 1e400", "\n[a]\n", "1979-05-27", "\\u0000", "{ a = 1 }", "\ufeff", "nan", "0o7", "\r"],
];
const keysOf = (value: unknown): string[] =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
    : [];
const KEYS = [
  ...new Set([
    ...keysOf(V1),
    ...keysOf(V2),
    "config_v2",
    "overlay",
    "external_backends",
    "version",
    "\u202e\n",
  ]),
];

/** nydusd's configuration, in all its layouts and both languages. */
export const configTarget: MakeTarget = () => {
  const prototype = Object.getOwnPropertyNames(Object.prototype).length;
  const run = (input: Uint8Array): Verdict => {
    // As the daemon has it: a file is UTF-8, or is refused before.
    const text = Buffer.from(input).toString();
    let verdict: Verdict = "refused";
    for (const name of ["c.json", "c.toml"])
      try {
        const config = parseConfig(text, name);
        must(
          config.blobDirs.every((dir) => typeof dir === "string" && dir !== ""),
          () => "a directory that is none",
        );
        must(config.blobDirs.length > 0 || config.blobFile !== undefined, () => "neither directory nor file");
        must(Number.isSafeInteger(config.prefetch?.rate ?? 0), () => `rate ${config.prefetch?.rate}`);
        verdict = "accepted";
      } catch (error) {
        refusal(error, OperationalError);
      }
    must(
      Object.getOwnPropertyNames(Object.prototype).length === prototype,
      () => "all objects have been changed",
    );
    return verdict;
  };
  const seeds = [JSON.stringify(V1), JSON.stringify(V2), TOML].map((text) =>
    Uint8Array.from(Buffer.from(text)),
  );
  return {
    seeds,
    longest: 32 << 10,
    memory: 256,
    mutate: (a, b, random) => mutateText(a, b, random, KEYS, VALUES),
    run,
  };
};
