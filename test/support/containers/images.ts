import { readFileSync } from "node:fs";
import { type Made, tarOf } from "../../mkfs/emit.ts";
import { BUSYBOX } from "./engines.ts";
import { type OciImage, ociImage } from "./oci-image.ts";

const dir = (name: string): Made => ({ name: `${name}/`, type: "5" });
const binary = (path: string): string => readFileSync(path, "latin1");

/** All that a shell needs; runc makes directories for what it mounts where there are none, so there are. */
export const base = (): Uint8Array =>
  tarOf([
    ...["./", "bin", "dev", "etc", "proc", "run", "sys", "tmp"].map((name) => dir(name.replace(/\/$/, ""))),
    { name: "bin/busybox", mode: 0o755, data: binary(BUSYBOX) },
    ...["sh", "cat", "ls", "sha256sum", "sleep", "touch", "true"].map((name) => ({
      ...{ name: `bin/${name}`, type: "2", link: "busybox" },
    })),
    { name: "etc/passwd", data: "root:x:0:0:root:/:/bin/sh\n" },
    dir("opt"),
    dir("opt/gone"),
    { name: "opt/gone/file", data: "below\n" },
    dir("opt/opaque"),
    { name: "opt/opaque/old", data: "below\n" },
    dir("opt/kept"),
    { name: "opt/kept/a", data: "first\n", mtime: 1_600_000_000 },
    { name: "opt/kept/b", data: "removed\n" },
  ]);

/** What layers say, and what file systems keep: of each kind one. */
const CHANGES: readonly Made[] = [
  dir("opt"),
  { name: "opt/.wh.gone" },
  dir("opt/opaque"),
  { name: "opt/opaque/.wh..wh..opq" },
  { name: "opt/opaque/new", data: "above\n" },
  dir("opt/kept"),
  { name: "opt/kept/.wh.b" },
  { name: "opt/kept/a", data: "second\n", uid: 1000, gid: 100, mode: 0o640 },
  { name: "opt/kept/hard", type: "1", link: "opt/kept/a", uid: 1000, gid: 100, mode: 0o640 },
  { name: "opt/setuid", data: "#!/bin/sh\n", mode: 0o4755, uid: 33 },
  { name: "opt/sticky/", type: "5", mode: 0o1777 },
  { name: "opt/symlink", type: "2", link: "kept/a" },
  { name: "opt/fifo", type: "6", mode: 0o600 },
  { name: "opt/null", type: "3", device: [1, 3], mode: 0o666 },
  { name: "opt/attributes", data: "x", pax: { "SCHILY.xattr.user.a": "value", mtime: "1600000000.25" } },
  { name: "opt/big-id", data: "y", pax: { uid: "3000000", gid: "3000001" } },
  { name: `opt/${"long".repeat(20)}/`, type: "5" },
  { name: `opt/${"long".repeat(20)}/name`, data: "z".repeat(100_000) },
  { name: "opt/empty" },
];
export const changes = (): Uint8Array => tarOf(CHANGES);

/** A third layer, over what the second one has changed. */
const more = (): Uint8Array =>
  tarOf([
    dir("opt"),
    dir("opt/gone"),
    { name: "opt/gone/back", data: "again\n" },
    dir("opt/opaque"),
    { name: "opt/opaque/.wh.new" },
    { name: "opt/opaque/newest", data: "top\n" },
  ]);

/** Three layers, each compressed in another way. */
export const threeLayers = (): OciImage =>
  ociImage([{ tar: base() }, { tar: changes(), compression: "zstd" }, { tar: more(), compression: "none" }]);
