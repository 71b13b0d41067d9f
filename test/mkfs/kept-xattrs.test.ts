import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from "../../src/bytes/errno.ts";
import { KeptXattrs, type XattrRules } from "../../src/mkfs/kept-xattrs.ts";
import { generator, placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { needs } from "../support/needs.ts";
import { type Made, tarOf } from "./emit.ts";
import { build, dir, file } from "./support.ts";

const MODES = {
  f: S_IFREG | 0o640,
  d: S_IFDIR | 0o750,
  l: S_IFLNK | 0o777,
  p: S_IFIFO | 0o640,
  c: S_IFCHR | 0o640,
};
type Kind = keyof typeof MODES;

/** What is kept of one attribute, in hexadecimal; or why it is refused, or left out. */
function kept(kind: Kind, name: string, value: Uint8Array, more: Partial<XattrRules> = {}): string {
  const told: string[] = [];
  const xattrs = new KeptXattrs({ whiteouts: "oci", warn: (message) => told.push(message), ...more });
  try {
    const all = xattrs.of([{ name: Buffer.from(name, "latin1"), value }], MODES[kind], (problem) => {
      throw new Error(problem);
    });
    xattrs.report();
    expect(told.length).toBe(xattrs.leftOut);
    return told[0] ?? all.map((one) => `kept ${Buffer.from(one.value).toString("hex")}`).join("");
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

const TAGS = [1, 2, 4, 8, 16, 32];
type AclRow = readonly [tag: number, permissions: number, id: number];

function acl(rows: readonly AclRow[], version = 2): Buffer {
  const value = Buffer.alloc(4 + rows.length * 8);
  value.writeUInt32LE(version);
  rows.forEach(([tag, permissions, id], i) => {
    value.writeUInt16LE(tag, 4 + i * 8);
    value.writeUInt16LE(permissions, 6 + i * 8);
    value.writeUInt32LE(id, 8 + i * 8);
  });
  return value;
}

/** Values near what the kernel takes: whole ACLs, and each with one thing wrong. */
function nearAcls(count: number): Buffer[] {
  const random = generator(11);
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  return Array.from({ length: count }, () => {
    const id = () => pick([0, 1, 1000, 70_000, 0xffff_fffe, 0xffff_ffff]);
    const row = (tag: number): AclRow => [tag, random(8), id()];
    const many = (tag: number) => Array.from({ length: pick([0, 0, 1, 2]) }, () => row(tag));
    let rows = [row(1), ...many(2), row(4), ...many(8), ...(random(3) > 0 ? [row(16)] : []), row(32)];
    const at = random(rows.length);
    const turn = random(8);
    if (turn === 0) rows = rows.filter((_, i) => i !== at);
    if (turn === 1) rows.splice(at, 0, row(pick(TAGS)));
    if (turn === 2) rows[at] = [pick([0, 3, 64]), 0, 0];
    if (turn === 3) rows[at] = [rows[at]?.[0] ?? 0, pick([8, 0xffff]), 0];
    if (turn === 4) rows.reverse();
    const value = acl(rows, random(12) === 0 ? pick([0, 1, 3]) : 2);
    return random(12) === 0 ? value.subarray(0, random(value.length)) : value;
  });
}

const CAPABILITIES = [
  ["", "0100000200040000000000000000000000000000", "00000002000400000000000000000000ffffffff"],
  ["010000030004000000000000000000000000000000000000", "0100000300040000000000000000000000000000e8030000"],
  ["0100000300040000000000000000000000000000ffffffff", "010000020004000000000000000000000000000000000000"],
  [
    "0100000300040000000000000000000000000000",
    "010000010004000000000000",
    "0300000200040000000000000000000000000000",
  ],
  ["0100000400040000000000000000000000000000", "01", "01000002"],
].flat();

/** Sets attributes as unpacking does, mode last, and says what a file then has: {kind, name, value}[] to strings. */
const KERNEL = `
import errno, json, os, sys
os.chdir(sys.argv[1])
seen = []
for n, (kind, name, value) in enumerate(json.load(sys.stdin)):
    path = "x%d" % n
    if kind == "f": os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    if kind == "d": os.mkdir(path)
    if kind == "l": os.symlink("nowhere", path)
    if kind == "p": os.mkfifo(path)
    try:
        os.setxattr(path, name, bytes.fromhex(value), follow_symlinks=False)
        if kind != "l": os.chmod(path, 0o750 if kind == "d" else 0o640)
        has = name in os.listxattr(path, follow_symlinks=False)
        seen.append("kept " + os.getxattr(path, name, follow_symlinks=False).hex() if has else "")
    except OSError as e: seen.append(errno.errorcode[e.errno])
print(json.dumps(seen))
`;

describe("values that Linux looks at become what its own file systems make of them", () => {
  needs(process.getuid?.() === 0 ? undefined : "only root sets capabilities of files");
  const acls = nearAcls(400).flatMap((value, i) => [
    ["f", "system.posix_acl_access", value] as const,
    [(["d", "l", "p", "d"] as const)[i % 4] ?? "d", "system.posix_acl_access", value] as const,
    [(["d", "d", "f", "l"] as const)[i % 4] ?? "d", "system.posix_acl_default", value] as const,
  ]);

  it("ACLs", () => {
    const input = JSON.stringify(acls.map(([kind, name, value]) => [kind, name, value.toString("hex")]));
    const seen: string[] = JSON.parse(
      execFileSync("python3", ["-c", KERNEL, scratchDir()], { input, encoding: "utf8" }),
    );
    const said = (ours: string) =>
      ours.includes("was left out once")
        ? "ENOTSUP"
        : ours.endsWith("only directories have a default ACL")
          ? "EACCES"
          : ours.startsWith("extended attribute")
            ? "EINVAL"
            : ours;
    const ours = acls.map(([kind, name, value]) => said(kept(kind, name, value)));
    const shown = (of: string[]) =>
      acls.map(([kind, name, value], i) => `${kind} ${name} ${value.toString("hex")}: ${of[i]}`);
    expect(shown(ours)).toEqual(shown(seen));
    expect(new Set(seen.map((one) => one.slice(0, 5)))).toEqual(
      new Set(["kept ", "", "EINVA", "EACCE", "ENOTS"]),
    );
  });

  it("capabilities", () => {
    const input = JSON.stringify(CAPABILITIES.map((value) => ["f", "security.capability", value]));
    const seen: string[] = JSON.parse(
      execFileSync("python3", ["-c", KERNEL, scratchDir()], { input, encoding: "utf8" }),
    );
    CAPABILITIES.forEach((value, i) => {
      const ours = kept("f", "security.capability", Buffer.from(value, "hex"));
      if (value === "")
        expect(ours).toBe("kept "); // it can be set, and not be read: as here
      else if (seen[i] === "EINVAL") expect(ours).toMatch(/: no capabilities of a file$/);
      // The kernel shows those of the first user namespace's root without the root.
      else expect(ours).toBe(`kept ${value}`);
    });
    expect(seen.filter((one) => one === "EINVAL").length).toBe(9);
  });
});

describe("an attribute", () => {
  const v = Buffer.from("v");
  const foreign = "EROFS has no such namespace";
  const overlay = "an overlay above would obey it";
  const only = "only files and directories have such";
  const leftOut = (name: string, why: string) => `extended attribute "${name}" was left out once: ${why}`;
  const cases: [kind: Kind, name: string, want: string][] = [
    ...[
      "com.apple.provenance",
      "com.apple.lastuseddate#PS",
      "com.docker.grpcfuse.ownership",
      "system.nfs4_acl",
    ],
    ...["lustre.lov", "btrfs.compression", "gnu.translator", "foo", "user", "User.x", "system."],
    ...["system.posix_acl_accessX", "security", "os2.x", "afs.acl", "ceph.dir.layout", "cifs.acl"],
  ].map((name) => ["f", name, leftOut(name, foreign)]);
  cases.push(
    ...(["user.", "trusted.", "security."].map((name) => [
      "f",
      name,
      leftOut(name, "a namespace, and no name in it"),
    ]) as typeof cases),
    ...(["trusted", "user"].flatMap((space) =>
      [
        "opaque",
        "metacopy",
        "redirect",
        "whiteout",
        "origin",
        "impure",
        "nlink",
        "upper",
        "uuid",
        "overlay.opaque",
      ].map((name) => ["d", `${space}.overlay.${name}`, leftOut(`${space}.overlay.${name}`, overlay)]),
    ) as typeof cases),
    ...(["l", "p", "c"].map((kind) => [kind, "user.x", leftOut("user.x", only)]) as typeof cases),
    ...(["f", "d"].map((kind) => [kind, "user.x", "kept 76"]) as typeof cases),
    ...(["l", "c"].flatMap((kind) =>
      ["trusted.x", "security.x"].map((name) => [kind, name, "kept 76"]),
    ) as typeof cases),
    ["f", "user.overlayfs", "kept 76"],
    ["f", "trusted.overlay", "kept 76"],
    ["f", "security.selinux", "kept 76"],
    ["f", "com.\x1b[2J", leftOut("com.\\x1b[2J", foreign)],
    ["f", `com.${"n".repeat(300)}`, leftOut(`com.${"n".repeat(251)}…`, foreign)],
  );
  it.each(cases)("of %s, %s", (kind, name, want) => expect(kept(kind, name, v)).toBe(want));

  it("of an overlay's layer is kept, and obeyed, under its rules", () => {
    for (const name of ["trusted.overlay.opaque", "user.overlay.opaque"])
      expect(kept("d", name, v, { whiteouts: "overlayfs" })).toBe("kept 76");
    expect(kept("d", "trusted.overlay.opaque", v, { whiteouts: "none" })).toMatch(overlay);
  });

  it("that would be left out is refused with strictXattrs, one that is kept is not", () => {
    expect(kept("f", "foo.bar", v, { strictXattrs: true })).toBe(`extended attribute "foo.bar": ${foreign}`);
    expect(kept("f", "user.x", v, { strictXattrs: true })).toBe("kept 76");
    expect(kept("f", "system.posix_acl_access", v.subarray(1), { strictXattrs: true })).toBe("");
  });

  it("of more than a page is no ACL: FUSE could not show it", () => {
    const rows = (users: number): AclRow[] => [
      [1, 6, 0],
      ...Array.from({ length: users }, (_, i): AclRow => [2, 6, i]),
      ...([
        [4, 4, 0],
        [16, 6, 0],
        [32, 0, 0],
      ] as AclRow[]),
    ];
    expect(kept("f", "system.posix_acl_access", acl(rows(507)))).toMatch(/^kept /);
    expect(kept("f", "system.posix_acl_access", acl(rows(508)))).toBe(
      'extended attribute "system.posix_acl_access": an ACL of 4100 bytes, want at most 4096',
    );
  });
});

describe("a layer with attributes that are not kept", () => {
  const xattr = (name: string, value = "v") => ({ pax: { [`SCHILY.xattr.${name}`]: value } });
  const layer = async (entries: readonly Made[], more: Partial<XattrRules> = {}) => {
    const path = join(scratchDir(), "layer.tar");
    writeFileSync(path, tarOf(entries));
    const { bootstrap, blobs, ...made } = await build(path, more);
    const shown = tree(serve(bootstrap, placesOf(blobs.map(() => path))).fs);
    return { ...made, path, xattrs: shown.flatMap((one) => Object.keys(one.xattrs ?? {})) };
  };

  it("has all others, and one warning a name with a count", async () => {
    const made = await layer([
      dir("d/", xattr("com.apple.provenance")),
      file("d/f", "f", { pax: { "SCHILY.xattr.com.apple.provenance": "v", "SCHILY.xattr.user.kept": "v" } }),
      { name: "l", type: "2", link: "d", ...xattr("user.x") },
    ]);
    expect(made.xattrs).toEqual(["user.kept"]);
    expect(made.hasAllXattrs).toBe(false);
    expect(made.warnings).toEqual([
      `${made.path}: extended attribute "com.apple.provenance" was left out 2 times: EROFS has no such namespace`,
      `${made.path}: extended attribute "user.x" was left out once: only files and directories have such`,
    ]);
  });

  it("has no ACLs as text, which GNU tar writes, and containerd and umoci pass over", async () => {
    const acl = { "SCHILY.acl.access": "user::rw-,user:daemon:rwx:1,group::r--,mask::rwx,other::r--" };
    const entries = [
      file("f", "f", { pax: acl }),
      file("g", "g", { pax: { ...acl, "SCHILY.xattr.user.kept": "v" } }),
      dir("d/", { pax: { "SCHILY.acl.default": "user::rwx,group::r-x,other::---" } }),
    ];
    const made = await layer(entries);
    const why = "an ACL as text, which unpacking an image does not set";
    expect([made.xattrs, made.hasAllXattrs]).toEqual([["user.kept"], false]);
    expect(made.warnings).toEqual([
      `${made.path}: extended attribute "SCHILY.acl.access" was left out 2 times: ${why}`,
      `${made.path}: extended attribute "SCHILY.acl.default" was left out once: ${why}`,
    ]);
    await expect(layer(entries, { strictXattrs: true })).rejects.toThrow(`"SCHILY.acl.access": ${why}`);
  });

  it("is told of in few lines, however many names there are", async () => {
    const made = await layer(Array.from({ length: 40 }, (_, i) => file(`f${i}`, "", xattr(`x.${i}`))));
    expect(made.warnings.length).toBe(17);
    expect(made.warnings[16]).toMatch(/: extended attributes of other names were left out 24 times$/);
  });

  it("is refused with strictXattrs, naming the entry", async () => {
    await expect(layer([file("a"), file("b", "", xattr("foo"))], { strictXattrs: true })).rejects.toThrow(
      /@0x400: entry "b": extended attribute "foo": EROFS has no such namespace$/,
    );
    expect((await layer([file("a", "", xattr("user.x"))], { strictXattrs: true })).hasAllXattrs).toBe(true);
  });

  it("and markers with any are as any others", async () => {
    const made = await layer([
      file(".wh.x", "", xattr("system.posix_acl_access", "zz")),
      file(".wh.y", "", xattr("foo")),
    ]);
    expect([made.xattrs, made.warnings, made.hasMarkers]).toEqual([[], [], true]);
  });
});
