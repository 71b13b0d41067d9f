import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { COMMAND as DAEMON, shell, workDir } from "../support/daemon.ts";

const COMMAND = join(dirname(DAEMON), "nydus-image-ts.js");

/** Tells its peak memory when it ends, KiB. */
const PEAK = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => process.stderr.write("peak " + process.resourceUsage().maxRSS + "\\n"));',
)}`;
const bombs: [name: string, make: string][] = [
  ["gzip of 1 GB of zeros", "head -c 1000000000 /dev/zero | gzip -1"],
  ["zstd of 1 GB of zeros, window of 128 MiB", "head -c 1000000000 /dev/zero | zstd -q --long=27"],
  [
    "gzip of a tar that never ends its pax header",
    "(tar -cf - --pax-option=comment:=$(printf '%9000s' x) /etc/hostname; yes) | head -c 300000000 | gzip -1",
  ],
];
it.each(bombs)("create takes less than 512 MB for %s", async (_, make) => {
  const dir = workDir();
  const script = `cd "$1"; mkdir blobs; (${make}) >layer 2>/dev/null || true
    "$2" --v8-pool-size=1 --import "$4" "$3" create -B x.boot -D blobs layer || echo "status $?"; ls -A blobs; ls -A`;
  const { stdout, stderr } = await shell(script, dir, process.execPath, COMMAND, PEAK);
  expect(Number(/^peak (\d+)$/m.exec(stderr)?.[1]) * 1024).toBeLessThan(512e6);
  // Nothing half-made: either all of it, or nothing.
  if (/^status 1$/m.test(stdout)) expect(stdout).toBe("status 1\nblobs\nlayer\n");
  else expect(stdout).toMatch(/^successfully built/);
});
