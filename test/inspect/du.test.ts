import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { sizeText } from "../../src/inspect/size-text.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

let work = "";
beforeAll(() => {
  work = scratchDir();
  mkdirSync(join(work, "tree"));
  sh(
    `cd "$W"; mkdir -p one/usr/lib/x one/usr/bin one/etc two/usr/lib/x
     head -c 70000 /dev/urandom >one/usr/lib/x/big; echo short >one/usr/bin/sh; ln one/usr/bin/sh one/usr/bin/dash
     printf %05000d 1 >one/etc/conf.d.txt; touch one/etc/.hid; ln -s x one/etc/l; chown 7:8 one/etc/.hid; printf %0300d 1 >two/usr/lib/x/more; printf %07d 1 >two/usr/bin
     cd one; tar -cf ../1.tar .; cd ../two; tar -cf ../2.tar .; cd ../tree
     tar --recursive-unlink -xf ../1.tar; rm -r usr/bin; tar -xf ../2.tar`,
    { W: work },
  );
});
const du = (...args: readonly string[]) =>
  programRun("nydus-image-ts", ["du", "1.tar", "--over", "2.tar", "--cache-dir", "cache", ...args], work);
const records = (...args: readonly string[]) =>
  du("--json", ...args)
    .stdout.split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe("du", () => {
  it("has of each directory the bytes and names that GNU find has in the unpacked tree", () => {
    const found = records("-d", "9").filter(({ entries }) => entries > 0);
    expect(found.length).toBeGreaterThan(4);
    for (const { path, seen, entries } of found) {
      const script = `cd "$W/tree$P"; find . -mindepth 1 | wc -l; find . -type f -printf '%i %s\\n' | sort -u | awk '{ n += $2 } END { print n+0 }'`;
      const [names, bytes] = sh(script, { W: work, P: path }).split("\n").map(Number);
      expect([path, entries, seen]).toEqual([path, names, bytes]);
    }
  });

  it.each([
    ["ext", `-type f -printf '%f\\t%i\\t%s\\n' | sed -E 's/^(.+)(\\.[^.\\t]*)\\t/\\2\\t/; t; s/^[^\\t]*//'`],
    ["owner", `-printf '%U:%G\\t%i\\t%s\\t%y\\n' | sed -E 's/[0-9]+\\t[^f]$/0\\t/'`],
    ["type", `-printf '%y\\t%i\\t%s\\n' | sed -E '/^f/!s/[0-9]+$/0/; s/^f/file/; s/^d/dir/; s/^l/symlink/'`],
  ])("--by %s has the sums of GNU find", (by, listing) => {
    const script = `cd "$W/tree"; find . -mindepth 1 ${listing} | awk -F'\\t' '{ n[$1]++; if (!seen[$1, $2]++) s[$1] += $3 } END { for (k in n) print k "\\t" s[k]+0 "\\t" n[k] }'`;
    const want = sh(script, { W: work }).split("\n").filter(Boolean).sort();
    const found = records("--by", by).filter(({ entries }) => entries > 0);
    expect(found.map((one) => `${one[by]}\t${one.seen}\t${one.entries}`).sort()).toEqual(want);
    expect(records("--by", by).reduce((sum, { hidden }) => sum + hidden, 0)).toBe(6);
    expect(du("--by", by, "-n", "1").stdout.split("\n")[0]).toBe(
      `SEEN  HIDDEN  ENTRIES  ${by.toUpperCase()}`,
    );
  });

  it("says by layer what is hidden, why, and exits 3 when that is too much", () => {
    const [upper, lower] = records("--by", "layer");
    expect([upper.own, upper.seen]).toEqual([307, 307]);
    expect(lower).toMatchObject({ own: 75_006, seen: 75_000, hidden: { replaced: 6, whiteout: 0 } });
    expect(du("--max-hidden", "6").status).toBe(0);
    expect(du("--max-hidden", "1%").status).toBe(0);
    expect(du("--max-hidden", "5")).toMatchObject({
      ...{ status: 3 },
      stderr: "too much is hidden: 6 bytes of 75313, want at most 5\n",
    });
    expect(du("--max-hidden", "101%").status).toBe(2);
  });

  it("is a table, the largest first, whose names stand last", () => {
    expect(du("-d", "1").stdout.split("\n")).toEqual([
      "SEEN  HIDDEN  ENTRIES  PATH",
      " 74K       6       10  /",
      " 69K       6        5  /usr",
      "4.9K       -        3  /etc",
      "",
    ]);
  });

  it("says of a bootstrap what is seen, and that nobody knows its layers", () => {
    programRun("nydus-image-ts", ["create", "-B", "m.boot", "-D", ".", "1.tar", "2.tar"], work);
    const args = ["du", "m.boot", "--json", "-d", "0"];
    const { stdout, stderr } = programRun("nydus-image-ts", args, work);
    expect(JSON.parse(stdout)).toMatchObject({ path: "/", seen: 75_307, hidden: 0 });
    expect(stderr).toMatch(/^warning: layers unknown: /);
    expect(programRun("nydus-image-ts", [...args, "--by", "layer"], work)).toMatchObject({
      status: 1,
      stdout: "",
    });
  });
});

describe("sizes", () => {
  it("are written as numfmt writes them", () => {
    const sizes = [
      0, 1, 999, 1023, 1024, 1025, 1500, 10_137, 10_240, 10_241, 102_400, 1_047_553, 1_048_575, 1_048_576,
    ];
    const more = [...sizes, 5 * 2 ** 30 - 1, 2 ** 40 + 1, 1023.99 * 2 ** 20, 2 ** 50].map(Math.floor);
    const want = sh(`for n in $N; do numfmt --to=iec --round=up "$n"; done`, { N: more.join(" ") });
    expect(more.map(sizeText)).toEqual(want.trim().split("\n"));
  });
});
