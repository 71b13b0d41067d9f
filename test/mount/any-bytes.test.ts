import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ask, shell, workDir } from "../support/daemon.ts";
import { KERNEL_DRIVERS } from "../support/kernel.ts";

const BIN = fileURLToPath(new URL("../../bin/", import.meta.url));

/** In a directory whose name is no UTF-8; `$b` is more of that kind. */
const PRELUDE = `cd "$1"; bin=$2; b=$'\\xff\\xe9'; mkdir "$b" && cd "$b"; mkdir t m$b blobs$b; echo hello >t/f; tar -C t -cf l$b.tar f
  nydusd() { sh "$bin/nydusd-ts.mjs" "$@"; }; image() { sh "$bin/nydus-image-ts.mjs" "$@"; }
  ctl() { sh "$bin/nydusctl-ts.mjs" "$@"; }
  gone() { until ! grep -qs "$1" /proc/*/cmdline; do sleep 0.05; done; };`;

describe("paths that are no UTF-8", () => {
  it("are those of everything that a daemon is given, and of the one that goes on after it", async () => {
    const dir = workDir();
    const script = `${PRELUDE}
      image create l$b.tar -B i$b.boot -D blobs$b -J out$b.json >/dev/null 2>&1; image check i$b.boot -D blobs$b >/dev/null
      image unpack i$b.boot -D blobs$b --output u$b.tar; tar -xOf u$b.tar f; rm l$b.tar u$b.tar out$b.json
      nydusd --daemonize -B i$b.boot --blob-dir blobs$b -M m$b -L log$b.log --pid-file pid$b --apisock sock$b \\
        --state-dir state$b --trace trace$b >/dev/null
      cat m$b/f; ctl -S sock$b info | grep -o RUNNING; pid=$(cat pid$b); first=$(cat /proc/$pid/task/$pid/children)
      kill -9 $first; until grep -q "serves what process" log$b.log || [ "$(cat /proc/$pid/task/$pid/children)" != "$first" ]; do sleep 0.05; done
      cat m$b/f; until ctl -S sock$b info >/dev/null 2>&1; do sleep 0.05; done
      nydusd umount m$b; while [ -e /proc/$pid ]; do sleep 0.05; done; ls -b`;
    expect(await ask(script, dir, BIN)).toBe(
      [
        ...["hello", "hello", "RUNNING", "hello", "m\\udcff\\udce9: unmounted"],
        ...["blobs", "i", "log", "m", "state", "t", "trace"].map(
          (name) => `${name}${name === "t" ? "" : "\\377\\351"}${{ i: ".boot", log: ".log" }[name] ?? ""}`,
        ),
        "",
      ].join("\n"),
    );
    const [name] = readdirSync(dir, "buffer");
    expect(
      readdirSync(
        Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name ?? ""), Buffer.from("/m\xff\xe9", "latin1")]),
      ),
    ).toEqual([]);
  });

  it.each(["fuse", ...KERNEL_DRIVERS])(
    "are those of sources, changes and links to them: --driver %s",
    async (driver) => {
      const script = `${PRELUDE} driver=$3; ln -s m$b lnk
      nydusd mount --driver $driver --daemonize l$b.tar lnk --cache-dir cache$b --rw up$b >/dev/null 2>&1
      cat lnk/f; echo x >m$b/new; nydusd umount lnk; ls -b up$b/upper m$b; ls cache$b`;
      expect(await ask(script, workDir(), BIN, driver)).toBe(
        "hello\nlnk: unmounted\nm\\377\\351:\n\nup\\377\\351/upper:\nnew\nblobs\nfiles\nimages\nlayers\n",
      );
    },
  );

  it("are named in errors as JSON names them", async () => {
    const cases = [
      ["nydusd mount no$b.tar m$b", "Error: no\\udcff\\udce9.tar: no such file\n"],
      ["nydusd -l warn -B i -M no$b", "Error: mountpoint no\\udcff\\udce9: no such directory\n"],
      ["nydusd umount m$b", "Error: m\\udcff\\udce9: nothing is mounted there\n"],
    ] as const;
    for (const [command, want] of cases) {
      const { status, stderr } = await shell(`${PRELUDE} ${command}`, workDir(), BIN);
      expect({ status, stderr }).toEqual({ status: 1, stderr: want });
    }
  });
});
