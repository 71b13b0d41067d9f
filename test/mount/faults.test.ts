import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, servedCounts, shell, start } from "../support/daemon.ts";
import { fixture, image, le, scratchDir } from "../support/image.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

const PAGE = 4096;
const MIB = 1 << 20;
/** Files in the order in which their data lies in the tar. */
const make = (): TarImage =>
  tarImage(
    `for f in before cut later; do head -c ${MIB} /dev/urandom >$f; done; echo text >small; mkdir d; echo more >d/f`,
  );

/** Where a file's data begins in the tar. */
const dataAt = ({ tar, source }: TarImage, name: string): number =>
  readFileSync(tar).indexOf(readFileSync(join(source, name)).subarray(0, 64));

/** Bytes of a file that are still there: 73 pages and a bit. */
const KEPT = 300_000;
const PAGES = [0, 1, 40, 71, 72, 73, 74, 100, 255];

/** right FILE ORIGINAL prints which of the pages are right; all others must be EIO. */
const RIGHT = `right() {
  for i in ${PAGES.join(" ")}; do
    if dd if="$1" bs=${PAGE} skip=$i count=1 iflag=$I status=none 2>"$W/err" |
      cmp -s - <(dd if="$2" bs=${PAGE} skip=$i count=1 status=none); then printf "$i "
    else grep -q 'Input/output error' "$W/err" || cat "$W/err"; fi
  done; echo; }`;

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  const serve = (flags: readonly string[], ...more: string[]) =>
    start([...flags, "--transport", transport, ...more]);

  it.each(["nocache", "direct"])(
    "a truncated tar loses what was cut off and nothing else, iflag=%s",
    async (how) => {
      const made = make();
      const daemon = await serve(made.flags);
      truncateSync(made.tar, dataAt(made, "cut") + KEPT);
      const look = `M=$1 S=$2 W=$3 I=${how}; ${RIGHT}; for f in before cut later cut; do right "$M/$f" "$S/$f"; done`;
      const some = "0 1 40 71 72 ";
      expect(await ask(look, daemon.mountpoint, made.source, scratchDir())).toBe(
        `${PAGES.join(" ")} \n${some}\n\n${some}\n`,
      );
      expect(await shell('cat "$1/small"', daemon.mountpoint)).toEqual({
        status: 1,
        stdout: "",
        stderr: `cat: ${daemon.mountpoint}/small: Input/output error\n`,
      });
      expect(await ask('cd "$1"; find . | sort; stat -c %s small', daemon.mountpoint)).toBe(
        ".\n./before\n./cut\n./d\n./d/f\n./later\n./small\n5\n",
      );
      expect(await daemon.stop()).toBe(0);
      const said =
        daemon.output().match(/WARN .*image\.tar: ends before byte \d+: it was truncated\n/g) ?? [];
      const { lost_blobs: lost } = servedCounts(daemon.output());
      expect({ lost, said: said.length }).toEqual({ lost: 1, said: 1 });
    },
  );

  const losses: [name: string, lose: (made: TarImage) => void][] = [
    ["deleted tar", ({ tar }) => rmSync(tar)],
    ["tar renamed over", ({ tar, boot }) => renameSync(boot, tar)],
    ["deleted bootstrap", ({ boot }) => rmSync(boot)],
    ["bootstrap overwritten", ({ boot }) => writeFileSync(boot, Buffer.alloc(100_000, 0xff))],
    ["bootstrap emptied", ({ boot }) => truncateSync(boot, 0)],
  ];
  it.each(losses)("a %s changes nothing", async (_, lose) => {
    const made = make();
    const daemon = await serve(made.flags);
    lose(made);
    // Four readers at once make more workers join, which come to the tar only now.
    const script = `diff -r "$1" "$2"; for i in 1 2 3 4; do
      dd if="$2/cut" bs=${PAGE} iflag=direct status=none | cmp - "$1/cut" & done; wait`;
    expect(await ask(script, made.source, daemon.mountpoint)).toBe("");
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  });

  it("--lenient serves a broken image but for the broken entry", async () => {
    const { path, devices, entries } = fixture("01-basic");
    const bytes = readFileSync(path);
    const nid = entries.find((e) => e.path === "/etc/one")?.ino ?? 0;
    const inode = (bytes.readUInt32LE(1024 + 40) << bytes[1024 + 12]) + nid * 32;
    const broken = image("01-basic", [inode, le(0x0f, 2)]); // a data layout that there is not
    const daemon = await serve(["-B", broken.path, "--blob", `1=${devices[0]}`], "--lenient");
    expect(daemon.output()).toMatch(
      /WARN .*: 1 broken entries will answer EUCLEAN; the first:\n.*WARN {3}.*image @0x[0-9a-f]+: /,
    );
    const { stdout, stderr } = await shell(
      'cd "$1"; ls etc; ls -l etc >/dev/null || cat etc/one || cat etc/b511 | wc -c',
      daemon.mountpoint,
    );
    expect(stdout).toBe("b4096\nb4097\nb511\nb512\nb513\nempty\none\n511\n");
    expect(stderr).toBe(
      "ls: cannot access 'etc/one': Structure needs cleaning\ncat: etc/one: Structure needs cleaning\n",
    );
    expect(await daemon.stop()).toBe(0);
  });

  it("--lenient serves what it can without the tar", async () => {
    const daemon = await serve(["-B", fixture("04-large").path, "--blob-dir", "/none"], "--lenient");
    const { stdout, stderr } = await shell('cd "$1"; ls; cat small', daemon.mountpoint);
    expect([stdout, stderr]).toEqual([
      "exact256k\nhl_large\nm1p1\nsmall\n",
      "cat: small: Structure needs cleaning\n",
    ]);
    expect(await daemon.stop()).toBe(0);
  });
});
