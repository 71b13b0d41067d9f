import { describe, expect, it } from "vitest";
import { forget } from "../support/forget.ts";
import { servedCounts, sh, start, workDir } from "../support/daemon.ts";

/** 2,000 small files in 40 directories, each with content of its own, in one tar, indexed by mkfs.erofs. */
function image(): { dir: string; flags: string[]; sums: string } {
  const dir = workDir();
  const sums = sh(
    `cd "$D"; for d in $(seq -w 40); do mkdir -p src/$d; for f in $(seq -w 50); do
       head -c $((RANDOM % 9000 + 1)) /dev/urandom > src/$d/$f; done; done
     tar --sort=name -C src -cf image.tar . ; mkfs.erofs --quiet --tar=i image.boot image.tar
     cd src; find . -type f | sort | xargs sha256sum`,
    { D: dir },
  );
  return { dir, flags: ["-B", `${dir}/image.boot`, "--blob", `1=${dir}/image.tar`], sums };
}

/** Walks, then reads everything by `readers` processes; what sha256sum says of every file. */
const readAll = (mountpoint: string, readers: number): string =>
  sh(`cd "$M"; find . -type f | sort > "$L"; xargs -n 50 -P ${readers} sha256sum < "$L" | sort -k 2`, {
    M: mountpoint,
    L: `${workDir()}/list`,
  });

describe("files read one after another after a listing", () => {
  it.each([1, 4])("are pushed, and right, for %d readers", async (readers) => {
    const { flags, sums } = image();
    const daemon = await start(flags);
    // The pusher starts during the first reading; that the kernel forgets makes the second use it.
    expect(readAll(daemon.mountpoint, readers)).toBe(sums);
    await forget(daemon.mountpoint);
    expect(readAll(daemon.mountpoint, readers)).toBe(sums);
    expect(await daemon.stop()).toBe(0);
    const { read, pushed_files: pushed, errors } = servedCounts(daemon.output());
    // How many depends on who gets the CPU first; that some are is what is proved here.
    expect(pushed).toBeGreaterThan(50);
    expect(read + pushed).toBeGreaterThanOrEqual(2000);
    expect(errors).toBeUndefined();
  });

  it("are read the ordinary way with --push off", async () => {
    const { flags, sums } = image();
    const daemon = await start([...flags, "--push", "off"]);
    expect(readAll(daemon.mountpoint, 1)).toBe(sums);
    expect(await daemon.stop()).toBe(0);
    const { read, pushed_files: pushed } = servedCounts(daemon.output());
    expect(read).toBe(2000);
    expect(pushed).toBeUndefined();
  });
});
