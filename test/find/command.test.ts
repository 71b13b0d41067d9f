import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { lineOf, HEADER } from "../../src/trace/format.ts";
import { tarOf } from "../mkfs/emit.ts";
import { LAYERS, ociDir } from "../source/images.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const mtime = 1_700_000_000;
const NAMES = ["-rf", "a b", "n\n\\x0a", "\u001b]0;t\u0007", "\xff\xfe", "'\"$`", "{}"];
const LOWER = [
  { name: "etc/", type: "5", mtime },
  { name: "etc/passwd", data: "root\n", mode: 0o4755, mtime },
  { name: "etc/link", type: "2", link: "pass\twd", mode: 0o777, mtime },
  { name: "root/", type: "5", mode: 0o700, mtime },
  {
    name: "root/id_rsa",
    data: "k".repeat(2000),
    mode: 0o600,
    uid: 7,
    gid: 8,
    mtime,
    pax: { mtime: "1700000000.25" },
  },
  { name: "odd/", type: "5", mtime },
  ...NAMES.map((name, i) => ({ name: `odd/${name}`, data: "x".repeat(i), mtime })),
];
const UPPER = [
  { name: "etc/passwd", data: "root:x\n", mtime },
  { name: "root/.wh.id_rsa", mtime },
  { name: "etc/.wh.none", mtime },
];

let work = "";
beforeAll(() => {
  work = scratchDir();
  writeFileSync(join(work, "1.tar"), tarOf(LOWER));
  writeFileSync(join(work, "2.tar"), tarOf(UPPER));
  mkdirSync(join(work, "tree"));
  sh(`cd "$W/tree"; tar --numeric-owner -pxf ../1.tar`, { W: work });
});
const IMAGE = ["1.tar", "--over", "2.tar"];
const find = (...args: readonly string[]) =>
  programRun("nydus-image-ts", ["find", "--cache-dir", "cache", ...args], work);
/** Its bytes, as characters of the same numbers. */
const raw = (script: string) =>
  spawnSync("bash", ["-c", script], {
    ...{ cwd: work, encoding: "latin1" },
    env: {
      ...process.env,
      F: join(import.meta.dirname, "../../dist/bundle/nydus-image-ts.js"),
      ["LC_ALL"]: "C",
    },
  }).stdout;

describe("find", () => {
  it("shows names that a terminal would obey, one a line", () => {
    const { status, stdout, stderr } = find(...IMAGE, "/odd", "--type", "f");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      ...[
        "/odd/\\x1b]0;t\\x07",
        "/odd/'\"$`",
        "/odd/-rf",
        "/odd/a b",
        "/odd/n\\x0a\\x5cx0a",
        "/odd/{}",
        "/odd/\\xff\\xfe",
      ],
      "",
    ]);
  });

  it("-0 gives xargs names that stat takes; --printf writes what GNU find writes", () => {
    const stat = `cd tree; xargs -0 stat --printf '%n %s\\0'`;
    const ours = raw(
      `node $F find --cache-dir cache 1.tar /odd /root -0 --type f | sed -z 's|^/|./|' | (${stat})`,
    );
    expect(ours.split("\0").sort()).toEqual(
      raw(`(cd tree; find ./odd ./root -type f -print0) | (${stat})`).split("\0").sort(),
    );
    const format = "%p|%f|%h|%m|%M|%y|%U|%G|%T@|%l\\t%%\\055\\0";
    const lines = raw(`node $F find --cache-dir cache 1.tar --path '/*/*' --printf '${format}'`);
    expect(lines.split("\0").sort()).toEqual(
      raw(`cd tree; find etc odd root -mindepth 1 -printf '/${format.replace("%h", "/%h")}'`)
        .split("\0")
        .sort(),
    );
  });

  it("--printf shows names where no NUL ends them", () => {
    const { stdout } = find("1.tar", "/odd/a b", "/odd/n\n\\x0a", "/etc/link", "--printf", "%s %p %l\\n");
    expect(stdout).toBe("1 /odd/a b \n2 /odd/n\\x0a\\x5cx0a \n7 /etc/link pass\\x09wd\n");
  });

  it("-l says layer, size, what became of it, and where its bytes lie", () => {
    const offset = (tar: string) =>
      sh(`python3 -c "$P" "$T"`, {
        P: "import sys,tarfile\nfor m in tarfile.open(sys.argv[1]):\n  if m.name=='root/id_rsa': print(m.offset_data)",
        T: join(work, tar),
      }).trim();
    const id = sh(`sha256sum <"$T"`, { T: join(work, "1.tar") }).slice(0, 12);
    expect(find(...IMAGE, "--secret", "-l").stdout.split("\n")).toEqual([
      "LAYER  SIZE  FATE           TAR@OFFSET         PATH",
      `    1  2.0K  whiteout of 2  ${id}@${offset("1.tar")}  /root/id_rsa`,
      "",
    ]);
    expect(find(...IMAGE, "--marker", "-l").stdout.split("\n")).toEqual([
      "LAYER  SIZE  FATE           TAR@OFFSET  PATH",
      "    2     -  hides nothing  -           /etc/.wh.none",
      "    2     -  hides 1        -           /root/.wh.id_rsa",
      "",
    ]);
    expect(find(...IMAGE, "--marker=idle").stdout).toBe("/etc/.wh.none\n");
    expect(find(...IMAGE, "--hidden", "--perm", "/6000", "--printf", "%L %p %O %B\\n").stdout).toMatch(
      new RegExp(`^1 /etc/passwd \\d+ ${id}[0-9a-f]{52}\n$`),
    );
  });

  it("--json says what is said of a version; --count and -n count", () => {
    const records = find(...IMAGE, "--json", "/root", "/odd", "--size", "4c")
      .stdout.trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records).toMatchObject([
      { path_base64: Buffer.from("/odd/\xff\xfe", "latin1").toString("base64"), size: 4 },
    ]);
    const [hidden] = find(...IMAGE, "--json", "--hidden=whiteout").stdout.split("\n");
    expect(JSON.parse(hidden ?? "")).toMatchObject({
      ...{ path: "/root/id_rsa", layer: 1, uid: 7, mtime_nsec: 250_000_000 },
      ...{ fate: "whiteout", by: { layer: 2, path: "/root/.wh.id_rsa" } },
    });
    expect(find(...IMAGE, "--count", "/odd", "/etc", "--type", "f").stdout).toBe("8\n");
    expect(find(...IMAGE, "-n", "2", "/etc", "/odd").stdout).toBe("/etc\n/etc/link\n");
    expect(find(...IMAGE, "--count", "--name", "nothing")).toMatchObject({ status: 0, stdout: "0\n" });
  });

  it("finds what is below the others when no layer has a path, and exits 1, as find(1)", () => {
    expect(find(...IMAGE, "/nope", "/root")).toEqual({
      ...{ status: 1, stdout: "/root\n" },
      stderr: "Error: no layer has it: /nope\n",
    });
  });

  it("refuses a predicate before it opens the image", () => {
    const refusal = (...args: string[]) => {
      const { status, stdout, stderr } = find("no-such.tar", ...args);
      expect([status, stdout]).toEqual([2, ""]);
      return stderr;
    };
    expect(refusal("--type", "q")).toBe("Error: --type q: want one of f, d, l, b, c, p, s\n");
    expect(refusal("--printf", "%Z")).toMatch(/^Error: --printf: %Z has no meaning; want %%/);
    expect(refusal("--printf", "\\q")).toMatch(/^Error: --printf: \\q has no meaning/);
    expect(refusal("--marker", "--hidden")).toBe("Error: --marker has no meaning with --hidden\n");
    expect(refusal("-0", "--json")).toMatch(
      /^Error: option '-0, --null' cannot be used with option '--json'/,
    );
    expect(refusal("--frobnicate")).toMatch(/^Error: unknown option '--frobnicate'/);
    expect(find(...IMAGE, "--layer", "3")).toMatchObject({
      status: 2,
      stderr: "Error: --layer 3: the image has 2 layers\n",
    });
  });

  it("says of a bootstrap what is seen; nobody knows its layers", () => {
    programRun("nydus-image-ts", ["create", "-B", "m.boot", "-D", ".", "1.tar", "2.tar"], work);
    expect(find("m.boot", "--perm", "/111", "--type", "f")).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(find("m.boot", "--size", "+3c", "--path", "/etc/*", "--type", "f").stdout).toBe("/etc/passwd\n");
    for (const option of ["--hidden", "--marker", "--layer=1"])
      expect(find("m.boot", option)).toMatchObject({ status: 1, stdout: "" });
    expect(find("m.boot", "--secret").stderr).toMatch(/^warning: layers unknown: /);
    expect(find("m.boot", "/etc/passwd", "-l").stdout).toMatch(
      /\n {4}- {5}7 {2}seen {2}[0-9a-f]{12}@\d+ {2}\/etc\/passwd\n$/,
    );
  });

  it("touched are files that a trace names, by whatever name", () => {
    const read = (path: string) => lineOf({ path: Buffer.from(path), offset: 0, length: 1, seconds: 1 });
    writeFileSync(
      join(work, "start.trace"),
      Buffer.concat([Buffer.from(HEADER), read("/etc/passwd"), read("/gone")]),
    );
    expect(find(...IMAGE, "--touched-by", "start.trace").stdout).toBe("/etc/passwd\n");
    expect(find(...IMAGE, "--not-touched-by", "start.trace", "/etc", "/odd/a b").stdout).toBe("/odd/a b\n");
    expect(find(...IMAGE, "--touched-by", "1.tar")).toMatchObject({ status: 1, stdout: "" });
  });
});

it("--in-tar knows whose byte each one is, as Python's tarfile does", () => {
  const image = ociDir(join(work, "oci"), LAYERS, "app:1");
  const script = `import json,sys,tarfile
print(json.dumps([["/"+m.name.removeprefix("./"), m.offset_data, m.size] for m in tarfile.open(sys.argv[1]) if m.isreg() and m.size > 0]))`;
  let files = 0;
  for (const tar of LAYERS) {
    const id = sh(`sha256sum <"$T"`, { T: tar }).slice(0, 64);
    for (const [name, at, size] of JSON.parse(sh(`python3 -c "$P" "$T"`, { P: script, T: tar }))) {
      if (files++ % 4 > 0) continue;
      const owner = (byte: number) =>
        find(image, "--in-tar", `${id.slice(0, 20)}@${byte}`, "--printf", "%p %O\\n").stdout.split("\n");
      expect(owner(at)).toContain(`${name} ${at}`);
      expect(owner(at + size - 1)).toContain(`${name} ${at}`);
      if (size % 512 !== 0) expect(owner(at + size)).toEqual([""]);
    }
  }
  expect(files).toBeGreaterThan(8);
  expect(find(image, "--in-tar", "none@1")).toMatchObject({
    ...{ status: 1, stdout: "" },
    stderr: "Error: --in-tar none: no tar of the image with an id that begins so\n",
  });
});

it("--cap and --xattr find what getcap and getfattr find", () => {
  sh(
    `cd "$W"; mkdir caps; cd caps; touch none raw admin "bo th"; setcap cap_net_raw+ep raw; setcap cap_checkpoint_restore,cap_sys_admin+i admin
     setcap cap_net_raw,cap_sys_admin=p "bo th"; setfattr -n user.x -v 1 none; tar --xattrs --xattrs-include='*' -cf ../caps.tar .`,
    { W: work },
  );
  const found = (...args: string[]) =>
    find("caps.tar", ...args)
      .stdout.split("\n")
      .filter(Boolean);
  const getcap = sh(`cd "$W/caps"; getcap -r . | sed 's/^\\.//; s/ cap_.*//; s/ =.*//'`, { W: work })
    .split("\n")
    .filter(Boolean);
  expect(getcap).toHaveLength(3);
  expect(found("--cap")).toEqual(getcap.sort());
  expect(found("--cap=net_raw")).toEqual(["/bo th", "/raw"]);
  expect(found("--cap=CAP_CHECKPOINT_RESTORE")).toEqual(["/admin"]);
  expect(found("--cap=!net_raw", "--cap")).toEqual(["/admin"]);
  expect(found("--cap=chown")).toEqual([]);
  expect(found("--xattr", "user.*")).toEqual(["/none"]);
});
