import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { OperationalError } from "../../src/bytes/errors.ts";
import { parseConfig, readConfig } from "../../src/daemon/config.ts";

type Tree = { [key: string]: unknown };

/** `tree` as JSON with some keys, named by their paths, set or (undefined) removed. */
function json(tree: Tree, changes: Tree): string {
  const copy = structuredClone(tree);
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split(".");
    const last = keys.pop() as string;
    let at = copy;
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as Tree;
    }
    at[last] = value;
  }
  return JSON.stringify(copy);
}

const v1 = (changes: Tree = {}) =>
  json({ device: { backend: { type: "localfs", config: { dir: "/b" } } }, mode: "direct" }, changes);
const v2 = (changes: Tree = {}) =>
  json({ version: 2, backend: { type: "localfs", localfs: { dir: "/b" } } }, changes);

/** docs/nydusd.md, "Run Nydusd Daemon". */
const DOCS_V1 = v1({
  "device.backend.config.dir": "/var/lib/nydus/blobs",
  "device.cache": { type: "blobcache", config: { work_dir: "/var/lib/nydus/cache" } },
  digest_validate: false,
  iostats_files: false,
  enable_xattr: true,
});
/** What `nydusd -D /b` makes up for itself (src/bin/nydusd/main.rs). */
const DOCS_D_OPTION = v1({
  "device.backend.config.readahead": true,
  "device.cache": { type: "blobcache", config: { work_dir: "/b", compressed: false } },
});
/** docs/nydusd.md, "Mount writable Overlay FS", mistake included. */
const DOCS_OVERLAY = v2({
  "backend.localfs": "/var/lib/nydus/blobs",
  cache: { type: "blobcache", filecache: { work_dir: "/var/lib/nydus/cache" } },
  rafs: { mode: "direct", enable_xattr: true },
  overlay: { upper_dir: "/path/to/upperdir", work_dir: "/path/to/workdir" },
});
/** misc/configs/nydusd-config-v2.toml, shortened: its slip `registy` and a misplaced key are its own. */
const sampleToml = (compressed: boolean, validate: boolean) => `
# Configuration file for Nydus Image Service
version = 2
id = "my_id"
[backend]
type = "localfs"
[backend.localfs]
blob_file = "/tmp/nydus.blob.data"
dir = "/tmp"
alt_dirs = ["/var/nydus/cache"]
[backend.oss]
access_key_secret = "my_access_key_secret"
[backend.registy]
host = "my.registry.com"
[cache]
type = "filecache"
compressed = ${compressed}
validate = ${validate}
enable_encryption = true
[cache.filecache]
work_dir = "."
[cache.fscache]
work_dir = "."
[cache.prefetch]
enable = true
threads = 8
[rafs]
mode = "direct"
batch_size = 1000000
enable_xattr = true
[rafs.prefetch]
enable = true
prefetch_all = true
`;
/** api/src/config.rs, `ConfigV2::new_localfs`. */
const DOTTED_TOML = `
version = 2
backend.type = "localfs"
backend.localfs.dir = "/b"
cache.type = "filecache"
cache.compressed = false
cache.filecache.work_dir = "/b"
`;
const WORK = { type: "filecache", filecache: { work_dir: "/c" } };

describe("parseConfig finds the tars", () => {
  const none = undefined;
  it.each<[name: string, text: string, dirs: string[], file?: string | undefined, work?: string]>([
    ["v1: docs", DOCS_V1, ["/var/lib/nydus/blobs", "/var/lib/nydus/cache"], none, "/var/lib/nydus/cache"],
    ["v1: -D", DOCS_D_OPTION, ["/b"], none, "/b"],
    ["v1: least", v1(), ["/b"]],
    ["v1: relative", v1({ "device.backend.config.dir": "blobs" }), ["blobs"]],
    ["v1: one file", v1({ "device.backend.config": { blob_file: "/t" } }), [], "/t"],
    ["v1: file and directory", v1({ "device.backend.config.blob_file": "/t" }), ["/b"], "/t"],
    [
      "v1: alt_dirs, each once",
      v1({ "device.backend.config.alt_dirs": ["/c", "/b", "/a"] }),
      ["/b", "/c", "/a"],
    ],
    ["v1: dummycache", v1({ "device.cache": { type: "dummycache", config: { work_dir: "/c" } } }), ["/b"]],
    ["v1: cache of no type", v1({ "device.cache": { type: "" } }), ["/b"]],
    ["v1: cache without directory", v1({ "device.cache": { type: "blobcache", config: {} } }), ["/b"]],
    ["v1: null cache config", v1({ "device.cache": { type: "blobcache", config: null } }), ["/b"]],
    ["v2: least", v2(), ["/b"]],
    ["v2: cache", v2({ cache: WORK }), ["/b", "/c"], none, "/c"],
    ["v2: nulls", v2({ cache: null, rafs: null, overlay: null, "backend.oss": null }), ["/b"]],
    ["v2: blanks around", ` \n\t${v2()}\n `, ["/b"]],
    [
      "v2: TOML sample",
      sampleToml(false, false),
      ["/tmp", "/var/nydus/cache", "."],
      "/tmp/nydus.blob.data",
      ".",
    ],
    ["v2: TOML, dotted keys", DOTTED_TOML, ["/b"], none, "/b"],
    ["v2: TOML, CRLF", 'version=2\r\n[backend]\r\ntype="localfs"\r\nlocalfs={dir="/b"}\r\n', ["/b"]],
  ])("%s", (_, text, blobDirs, blobFile, workDir) => {
    expect(parseConfig(text, "c")).toMatchObject({ blobDirs, blobFile, workDir });
  });
});

it.each([
  ["v1", v1],
  ["v2", (keys: Tree) => v2({ rafs: keys })],
])("parseConfig reads what is recorded of files: %s", (_, of) => {
  const records = (keys: Tree) => parseConfig(of(keys), "c").fileRecords;
  expect(records({})).toEqual({ counts: false, pattern: false, latest: false });
  expect(records({ iostats_files: true })).toEqual({ counts: true, pattern: false, latest: false });
  expect(records({ access_pattern: true })).toEqual({ counts: false, pattern: true, latest: false });
  expect(records({ latest_read_files: true })).toEqual({ counts: false, pattern: false, latest: true });
});

describe("parseConfig warns", () => {
  const asked = "has no effect here: each read is as long as the kernel asks for";
  const cached = "has no effect here: nothing is cached, the tars are read where they are";
  const place = "has no effect here: metadata is always read in place";
  const one = "has no effect here: all blobs come from localfs";
  const unknown = "unknown key, ignored";
  it.each<[name: string, text: string, ...want: string[]]>([
    ["v1: docs: nothing", DOCS_V1],
    ["v1: idle", v1({ amplify_io: 1048576, fs_prefetch: { enable: false, threads_count: 8 } })],
    ["v1: empty external_backends", v1({ "device.external_backends": [] })],
    ["v1: enable_xattr either way", v1({ enable_xattr: false })],
    ["v1: fs_prefetch", v1({ fs_prefetch: { enable: true, prefetch_all: true } })],
    ["v1: amplify_io", v1({ amplify_io: 0 }), `amplify_io: ${asked}`],
    ["v1: records of files", v1({ iostats_files: true, access_pattern: true, latest_read_files: true })],
    ["v1: mode", v1({ mode: "cached" }), `mode: ${place}`],
    ["v1: external", v1({ "device.external_backends": [{}] }), `device.external_backends: ${one}`],
    [
      "v1: work_dir without a cache",
      v1({ "device.cache.config.work_dir": "/c" }),
      'device.cache.config.work_dir: has no effect here: the cache type is ""',
    ],
    [
      "v1: unknown keys at any depth",
      v1({ mod: 1, "device.backend.config.readahead": true, "device.cache.config.compressed": true }),
      `device.backend.config.readahead: ${unknown}`,
      `device.cache.config.compressed: ${unknown}`,
      `mod: ${unknown}`,
    ],
    ["v1: a key of two lines", v1({ "a\nb": 1 }), `"a\\nb": ${unknown}`],
    ["v1: __proto__", v1().replace("{", '{"__proto__":{"mode":1},'), `__proto__: ${unknown}`],
    ["v2: nothing", v2({ cache: WORK, rafs: { mode: "direct", batch_size: 1048576 } })],
    [
      "v2: encryption",
      v2({ "cache.filecache.enable_encryption": true }),
      `cache.filecache.enable_encryption: ${cached}`,
    ],
    ["v2: unused backend", v2({ "backend.http-proxy": { addr: "x" } }), `backend.http-proxy: ${one}`],
    ["v2: v1's key", v2({ "rafs.digest_validate": true }), `rafs.digest_validate: ${unknown}`],
    [
      "v2: TOML sample",
      sampleToml(false, false),
      `backend.registy: ${unknown}`,
      `cache.enable_encryption: ${unknown}`,
      `backend.oss: ${one}`,
      `cache.fscache: ${cached}`,
      `rafs.batch_size: ${asked}`,
    ],
  ])("%s", (_, text, ...want) => {
    expect(parseConfig(text, "/etc/c").warnings).toEqual(want.map((line) => `config /etc/c: ${line}`));
  });
});

describe("parseConfig says what is to be warmed", () => {
  const all = { enable: true, isAll: true, rate: 0 };
  it.each<[name: string, text: string, want: object | undefined]>([
    ["v1: nothing said", v1(), undefined],
    ["v1: off", v1({ fs_prefetch: { enable: false } }), { ...all, enable: false }],
    ["v1: everything", v1({ fs_prefetch: { enable: true } }), all],
    [
      "v1: the table, slowly",
      v1({ fs_prefetch: { enable: true, prefetch_all: false, bandwidth_rate: 1000 } }),
      { enable: true, isAll: false, rate: 1000 },
    ],
    ["v2: nothing said", v2(), undefined],
    ["v2: of the file system", v2({ "rafs.prefetch": { enable: true } }), all],
    [
      "v2: of the cache",
      v2({ "cache.prefetch": { enable: true, bandwidth_limit: 5 }, "rafs.prefetch": { enable: false } }),
      { ...all, rate: 5 },
    ],
    ["v2: off", v2({ "cache.prefetch": { enable: false } }), { ...all, enable: false }],
  ])("%s", (_, text, want) => expect(parseConfig(text, "c").prefetch).toEqual(want));
});

describe("parseConfig rejects", () => {
  const digests =
    "true is not supported: TARFS data has no digests to check it with; compare each tar's sha256 with its name instead";
  const compression =
    "true is not supported: TARFS data is read from the tars as it is, nothing is compressed";
  const remote = "is not supported: only localfs is served: the tars must be files on this machine";
  const neither = 'gives neither "dir" nor "blob_file"';
  it.each<[name: string, text: string, want: string]>([
    [
      "v1: registry",
      v1({ "device.backend": { type: "registry", config: {} } }),
      `device.backend.type: "registry" ${remote}`,
    ],
    [
      "v1: registry first",
      v1({ "device.backend.type": "registry", mode: 1 }),
      `device.backend.type: "registry" ${remote}`,
    ],
    ["v1: oss", v1({ "device.backend.type": "oss" }), `device.backend.type: "oss" ${remote}`],
    ["v1: s3", v1({ "device.backend.type": "s3" }), `device.backend.type: "s3" ${remote}`],
    [
      "v1: localdisk",
      v1({ "device.backend.type": "localdisk" }),
      `device.backend.type: "localdisk" ${remote}`,
    ],
    [
      "v1: no such type",
      v1({ "device.backend.type": "nfs" }),
      'device.backend.type: is "nfs", want "localfs"',
    ],
    [
      "v1: no type",
      v1({ "device.backend.type": undefined }),
      'device.backend.type: is missing, want "localfs"',
    ],
    ["v1: no backend", v1({ "device.backend": undefined }), "device.backend: is missing, want an object"],
    ["v1: no device", "{}", "device: is missing, want an object"],
    ["v1: device is a list", v1({ device: [] }), "device: is an array, want an object"],
    [
      "v1: no backend config",
      v1({ "device.backend.config": undefined }),
      "device.backend.config: is missing, want an object",
    ],
    ["v1: no place", v1({ "device.backend.config": {} }), `device.backend.config: ${neither}`],
    [
      "v1: only alt_dirs",
      v1({ "device.backend.config": { alt_dirs: ["/a"] } }),
      `device.backend.config: ${neither}`,
    ],
    [
      "v1: dir is a number",
      v1({ "device.backend.config.dir": 5 }),
      "device.backend.config.dir: is a number, want a string",
    ],
    [
      "v1: dir is null",
      v1({ "device.backend.config.dir": null }),
      "device.backend.config.dir: is null, want a string",
    ],
    [
      "v1: alt_dirs is a string",
      v1({ "device.backend.config.alt_dirs": "/a" }),
      "device.backend.config.alt_dirs: is a string, want an array",
    ],
    [
      "v1: empty alternative",
      v1({ "device.backend.config.alt_dirs": ["/a", ""] }),
      "device.backend.config.alt_dirs[1]: is empty, want a directory",
    ],
    ["v1: no mode", v1({ mode: undefined }), 'mode: is missing, want "direct" or "cached"'],
    ["v1: other mode", v1({ mode: "mmap\n" }), 'mode: is "mmap\\n", want "direct" or "cached"'],
    [
      "v1: long mode",
      v1({ mode: "m".repeat(999) }),
      `mode: is "${"m".repeat(100)}…", want "direct" or "cached"`,
    ],
    ["v1: digest_validate", v1({ digest_validate: true }), `digest_validate: ${digests}`],
    [
      "v1: digest_validate is a word",
      v1({ digest_validate: "no" }),
      "digest_validate: is a string, want a boolean",
    ],
    ["v1: cache validate", v1({ "device.cache.validate": true }), `device.cache.validate: ${digests}`],
    [
      "v1: cache compressed",
      v1({ "device.cache.compressed": true }),
      `device.cache.compressed: ${compression}`,
    ],
    [
      "v1: fscache",
      v1({ "device.cache.type": "fscache" }),
      'device.cache.type: "fscache" is not supported: it cannot hold TARFS data (nydusd refuses that too)',
    ],
    [
      "v1: no such cache",
      v1({ "device.cache.type": "ram" }),
      'device.cache.type: is "ram", want "blobcache" or "filecache" or "dummycache" or ""',
    ],
    [
      "v1: empty work_dir",
      v1({ "device.cache": { type: "blobcache", config: { work_dir: "" } } }),
      "device.cache.config.work_dir: is empty, want a directory",
    ],
    ["v1: amplify_io is a string", v1({ amplify_io: "1M" }), 'amplify_io: is "1M", want a whole number'],
    ["v1: amplify_io is negative", v1({ amplify_io: -1 }), "amplify_io: is -1, want 0 or more"],
    ["v1: amplify_io is a fraction", v1({ amplify_io: 0.5 }), "amplify_io: is 0.5, want a whole number"],
    ["v1: fs_prefetch is a flag", v1({ fs_prefetch: true }), "fs_prefetch: is a boolean, want an object"],
    [
      "v2: docs overlay",
      DOCS_OVERLAY,
      'backend.localfs: is a string, want an object such as {"dir": "/var/lib/nydus/blobs"}',
    ],
    [
      "v2: overlay",
      v2({ overlay: { upper_dir: "/u", work_dir: "/w" } }),
      "overlay: is not supported: mount a kernel overlayfs over the read-only mount instead",
    ],
    ["v2: version 1", v2({ version: 1 }), "version: is 1, want 2"],
    ["v2: version is a string", v2({ version: "2" }), 'version: is "2", want 2'],
    ["v2: no version", v2({ version: undefined }), "version: is missing, want 2"],
    ["v2: no backend", '{"version":2}', "backend: is missing, want an object"],
    ["v2: http-proxy", v2({ "backend.type": "http-proxy" }), `backend.type: "http-proxy" ${remote}`],
    [
      "v2: v1's config key",
      v2({ backend: { type: "localfs", config: {} } }),
      "backend.localfs: is missing, want an object",
    ],
    ["v2: rafs validate", v2({ "rafs.validate": true }), `rafs.validate: ${digests}`],
    [
      "v2: secret not shown",
      v2({ "cache.filecache.encryption_key": ["s3cret"] }),
      "cache.filecache.encryption_key: is an array, want a string",
    ],
    ["v2: TOML sample, compressed", sampleToml(true, true), `cache.compressed: ${compression}`],
    ["v2: TOML sample, validate", sampleToml(false, true), `cache.validate: ${digests}`],
    ["v2: TOML of v1's layout", 'mode = "direct"\n[device.backend]\n', "version: is missing, want 2"],
    ["empty", "", "version: is missing, want 2"],
    [
      "blob cache entry",
      '{"type":"bootstrap","id":"i","config_v2":{}}',
      "is a blob cache entry, want what is under its config_v2",
    ],
    [
      "JSON: comment",
      "{\n  // here\n}",
      "is not valid JSON: Expected property name or '}' (line 2, column 3)",
    ],
    [
      "JSON: comma at the end",
      '{"a": 1,}',
      "is not valid JSON: Expected double-quoted property name (line 1, column 9)",
    ],
    ["JSON: cut off", '{"auth": {', "is not valid JSON: Expected property name or '}' (line 1, column 11)"],
    [
      "JSON: a byte that a terminal obeys",
      '{"a": \u001b[2J}',
      "is not valid JSON: Unexpected token '\u001b'",
    ],
    ["JSON: secret not shown", '{"auth": s3cret}', "is not valid JSON: Unexpected token 's'"],
    [
      "JSON: more after the end",
      "{}\n}",
      "is not valid JSON: Unexpected non-whitespace character (line 2, column 1)",
    ],
    ["TOML: no value", "version = 2\nid =\n", "is not valid TOML: invalid value (line 2, column 5)"],
    [
      "TOML: deep",
      `a=${"[".repeat(5000)}`,
      "is not valid TOML: document contains excessively nested structures. aborting. (line 1, column 1003)",
    ],
  ])("%s", (_, text, want) => {
    expect(() => parseConfig(text, "/etc/c")).toThrow(new OperationalError(`config /etc/c: ${want}`));
  });

  it.each([
    ["a comment before the brace", "// x\n{}", "is not valid JSON: Unexpected token '/'"],
    ["an array", "[1, 2]", "is an array, want an object"],
  ])("%s in a file named .json", (_, text, want) => {
    expect(() => parseConfig(text, "c.json")).toThrow(new OperationalError(`config c.json: ${want}`));
  });
});

describe("readConfig", () => {
  const dir = mkdtempSync(join(tmpdir(), "config-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const make = (name: string, data: string | Uint8Array = "") => {
    const path = join(dir, name);
    writeFileSync(path, data);
    return path;
  };

  it.each([
    ["JSON", v1()],
    ["JSON with a byte order mark", `\ufeff${v1()}`],
    ["TOML", 'version = 2\nbackend = { type = "localfs", localfs = { dir = "/b" } }\n'],
    ["the longest file", v1().padEnd(1024 * 1024)],
  ])("reads %s", (_, text) => {
    expect(readConfig(make("good", text))).toEqual({
      blobDirs: ["/b"],
      blobFile: undefined,
      workDir: undefined,
      id: "",
      prefetch: undefined,
      fileRecords: { counts: false, pattern: false, latest: false },
      warnings: [],
    });
  });

  it.each<[name: string, path: () => string, want: (path: string) => string]>([
    ["missing", () => join(dir, "none"), (path) => `ENOENT: no such file or directory, open '${path}'`],
    ["under a file", () => join(make("file"), "c"), (path) => `ENOTDIR: not a directory, open '${path}'`],
    ["a directory", () => dir, () => "is not a regular file"],
    ["a device", () => "/dev/zero", () => "is not a regular file"],
    [
      "too big",
      () => make("big", v1().padEnd(1024 * 1024 + 1)),
      () => "is 1048577 bytes long, want 1048576 at most",
    ],
    ["not UTF-8", () => make("latin1", Uint8Array.of(0x61, 0xff)), () => "is not UTF-8 text"],
    [
      "a path with NUL",
      () => "a\0b",
      () => "The argument 'path' must be a string, Uint8Array, or URL without null bytes. Received 'a\\x00b'",
    ],
  ])("refuses %s", (_, path, want) => {
    const at = path();
    expect(() => readConfig(at)).toThrow(new OperationalError(`config ${at}: ${want(at)}`));
  });

  it("does not wait for the writer of a fifo", () => {
    const path = join(dir, "fifo");
    execFileSync("mkfifo", [path]);
    expect(() => readConfig(path)).toThrow(new OperationalError(`config ${path}: is not a regular file`));
  });

  it("refuses a file that is far too big at once", () => {
    const path = make("sparse");
    truncateSync(path, 2 ** 40);
    expect(() => readConfig(path)).toThrow(
      new OperationalError(`config ${path}: is ${2 ** 40} bytes long, want 1048576 at most`),
    );
  });
});
