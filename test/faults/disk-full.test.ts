import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  blobFlags,
  COMMAND,
  emptyDir,
  isMounted,
  servedCounts,
  sh,
  shell,
  start,
  until,
} from "../support/daemon.ts";
import { fixture, scratchDir } from "../support/image.ts";
import { DISKS, smallDisk } from "../support/small-disk.ts";

const IMAGE_TS = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const { path: BOOT, devices } = fixture("04-large");
const MERGED = dirname(fixture("12-merged").path);

/** Layers with more metadata, or more data, than the disk has room for. */
let dir: string;
beforeAll(() => {
  dir = scratchDir();
  sh(
    `cd "$D"; mkdir many; (cd many; seq -f 'a-rather-long-name-%05.0f' 12000 | xargs touch); tar -cf many.tar many
      head -c 3000000 /dev/urandom >data; tar -czf data.tar.gz data; echo small >small; tar -cf small.tar small
      id=$(gzip -dc data.tar.gz | sha256sum | cut -c-64)
      echo '[{"Config":"config.json","Layers":["data.tar.gz"]}]' >manifest.json
      echo "{\\"os\\":\\"linux\\",\\"architecture\\":\\"amd64\\",\\"rootfs\\":{\\"type\\":\\"layers\\",\\"diff_ids\\":[\\"sha256:$id\\"]}}" >config.json
      tar -cf saved.tar manifest.json config.json data.tar.gz; gzip -k saved.tar
      node "$I" create -B many.boot --blob-id many many.tar >/dev/null`,
    { D: dir, I: IMAGE_TS },
  );
});

/** All that is on a disk, with what is in it. */
const contents = (disk: string) =>
  sh('cd "$D"; find . -type f | sort | xargs sha256sum; find . | sort', { D: disk });

interface Row {
  readonly name: string;
  readonly free: number;
  /** Words behind node; D is the disk, T where layers are. */
  readonly words: string;
  /** What is said, but for the directory. */
  readonly says: RegExp;
}

const image = (words: string) => `"$IMAGE_TS" ${words}`;
const ROWS: Row[] = [
  {
    name: "create, the bootstrap",
    free: 300,
    words: image('create -B "$D/x.boot" --blob-id many "$T/many.tar"'),
    says: /^Error: .*x\.boot: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "create, the tar of a compressed layer",
    free: 1000,
    words: image('create -B "$D/x.boot" -D "$D" "$T/data.tar.gz"'),
    says: /^Error: .*\/disk.*: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "create, several layers",
    free: 300,
    words: image('create -B "$D/x.boot" -D "$T" "$T/small.tar" "$T/many.tar"'),
    says: /^Error: .*: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "create, its JSON",
    free: 0,
    words: image('create -B "$T/x.boot" --blob-id small -J "$D/out.json" "$T/small.tar"'),
    says: /^Error: .*out\.json.*ENOSPC: no space left on device/m,
  },
  {
    name: "merge",
    free: 300,
    words: image('merge -B "$D/x.boot" "$T/many.boot" "$T/many.boot"'),
    says: /^Error: .*x\.boot: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "unpack",
    free: 300,
    words: image('unpack --output "$D/out.tar" -b "$M/layer.tar" "$B"'),
    says: /^Error: .*out\.tar: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "mount, the cache",
    free: 1000,
    words: '"$NYDUSD" mount --driver fuse --cache-dir "$D/cache" "$T/data.tar.gz" "$P"',
    says: /^Error: cache .*\/disk\/cache: 1\.\d MiB free, decompressed layers take 2\.9 MiB at least: make room, /m,
  },
  {
    name: "mount, the cache, of what comes by a pipe",
    free: 1000,
    words: '"$NYDUSD" mount --driver fuse --cache-dir "$D/cache" - "$P" < <(cat "$T/data.tar.gz")',
    says: /^Error: .*\/disk\/cache\/.*: ENOSPC: no space left on device, write: make room, e.g. with nydusd-ts cache gc; name another with --cache-dir$/m,
  },
  {
    name: "mount, the cache, of a layer in an archive",
    free: 1000,
    words: '"$NYDUSD" mount --driver fuse --cache-dir "$D/cache" "$T/saved.tar" "$P"',
    says: /^Error: cache .*\/disk\/cache: 1\.\d MiB free, decompressed layers take 2\.9 MiB at least: make room, /m,
  },
  {
    name: "mount, the cache, of an archive that is compressed",
    free: 1000,
    words: '"$NYDUSD" mount --driver fuse --cache-dir "$D/cache" "$T/saved.tar.gz" "$P"',
    says: /^Error: cache .*\/disk\/cache: 1\.\d MiB free, decompressed layers take \d\.\d MiB at least: make room, /m,
  },
  {
    name: "mount, a cache that has no room at all",
    free: 0,
    words: '"$NYDUSD" mount --driver fuse --cache-dir "$D/cache" "$T/small.tar" "$P"',
    says: /^Error: cache .*\/disk\/cache: ENOSPC: no space left on device, write; name another with --cache-dir$/m,
  },
  {
    name: "mount, the pid file",
    free: 0,
    words: '"$NYDUSD" -B "$B" --blob "1=$M/layer.tar" -M "$P" --pid-file "$D/pid"',
    says: /^Error: pid file .*pid: ENOSPC: no space left on device, write$/m,
  },
  {
    name: "mount, the trace",
    free: 0,
    words: '"$NYDUSD" -B "$B" --blob "1=$M/layer.tar" -M "$P" --trace "$D/trace"',
    says: /^Error: trace .*trace: ENOSPC: no space left on device, write$/m,
  },
];

describe.each(DISKS)("a full disk, %s", (kind) => {
  it.each(ROWS.filter(({ free }) => free > 0 || kind === "tmpfs"))(
    "$name: says which file and why, leaves nothing, and what was there as it was",
    async (row) => {
      const disk = smallDisk(
        kind,
        row.free,
        "mkdir -p cache/{blobs,layers,images,files}; for f in x.boot out.json out.tar pid; do echo old >$f; done",
      );
      const before = contents(disk);
      const mountpoint = emptyDir();
      const set = "D=$1 T=$2 B=$3 M=$4 P=$5 IMAGE_TS=$6 NYDUSD=$7 NODE=$8";
      const args = [disk, dir, BOOT, dirname(devices[0]), mountpoint, IMAGE_TS, COMMAND, process.execPath];
      const { status, stdout, stderr } = await shell(`${set}; timeout 240 "$NODE" ${row.words}`, ...args);
      expect(stderr).toMatch(row.says);
      expect([status, /^ready/m.test(stdout)]).toEqual([1, false]);
      expect(contents(disk)).toBe(before);
      expect(isMounted(mountpoint)).toBe(false);
    },
  );

  it("while a daemon traces and logs: both end, readers notice nothing", async () => {
    const disk = smallDisk(kind, 64);
    const daemon = await start([
      ...["-B", join(MERGED, "image.boot"), ...blobFlags(fixture("12-merged").devices)],
      ...["--trace", join(disk, "trace"), "--log-file", join(disk, "d.log"), "--log-level", "debug"],
    ]);
    sh('cat /dev/zero >"$D/filler0" 2>/dev/null || true', { D: disk });
    const sums = await ask('cd "$1"; find . -type f | sort | xargs sha256sum', daemon.mountpoint);
    for (let i = 0; i < 200; i++) process.kill(daemon.pid, "SIGHUP"); // each makes a log line
    await until(() => readFileSync(join(disk, "d.log"), "utf8").includes("SIGHUP"), "log lines").catch(
      () => {},
    );
    expect(await ask('cd "$1"; find . -type f | sort | xargs sha256sum', daemon.mountpoint)).toBe(sums);
    expect(await daemon.stop()).toBe(0);
    expect(readdirSync(disk).filter((name) => !name.startsWith("filler"))).toEqual(["d.log", "trace"]);
    expect(() => servedCounts(daemon.output())).toThrow(); // the log was its own file
  });
});
