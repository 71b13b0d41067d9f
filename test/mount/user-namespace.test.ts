import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMAND, shell, workDir } from "../support/daemon.ts";

/** As somebody types it who is root in a namespace of his own only. */
const unshared = (script: string) => {
  const dir = workDir();
  mkdirSync(join(dir, "mnt"));
  const all = `cd "$1"; export XDG_CACHE_HOME=$1/cache; nydusd() { timeout 240 "$NODE" "$COMMAND" "$@"; }
    mkdir t; echo hi >t/f; tar -C t -cf x.tar f; gzip -k x.tar; ${script}`;
  return shell(
    'export NODE=$1 COMMAND=$2; exec unshare -Urm bash -euc "$3" bash "$4"',
    ...[process.execPath, COMMAND, all, dir],
  );
};

describe("in a user namespace", () => {
  it.each(["x.tar", "x.tar.gz", "- <x.tar"])("%s is mounted, listed and unmounted", async (source) => {
    const { status, stdout, stderr } = await unshared(
      `nydusd mount ${source.replace("<", "mnt <")}${source.includes("<") ? "" : " mnt"} | cut -d" " -f1
       cat mnt/f; findmnt -no FSTYPE mnt; nydusd ls | grep -c "$PWD/mnt"; nydusd umount mnt; ls mnt | wc -l`,
    );
    expect(stdout, stderr).toBe("ready\nhi\nfuse.nydusd-ts\n1\nmnt: unmounted\n0\n");
    expect(status).toBe(0);
  });

  it("is writable with --rw, and what was changed is there the next time", async () => {
    const { stdout, stderr } = await unshared(
      `for i in 1 2; do nydusd mount x.tar mnt --rw up >/dev/null; echo $i >>mnt/new; cat mnt/new mnt/f; nydusd umount mnt; done`,
    );
    expect(stdout, stderr).toBe("1\nhi\nmnt: unmounted\n1\n2\nhi\nmnt: unmounted\n");
  });

  it("the kernel's driver is refused with its reason", async () => {
    const { stdout, stderr } = await unshared(
      "nydusd mount --driver erofs x.tar mnt || echo status $?; ls mnt",
    );
    expect(stdout).toBe("status 1\n");
    expect(stderr).toMatch(/^Error: --driver erofs: .*mounting EROFS takes root, of the host\)$/m);
  });
});
