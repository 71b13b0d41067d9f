import { elementAt } from "../bytes/element-at.ts";
import { showName } from "../bytes/name.ts";
import type { WalkEntry } from "../fs/walk.ts";
import type { Attr } from "../vfs/file-system.ts";
import { deviceOf, isDevice, isRegular, isSymlink, modeText, timeText, typeWord } from "./attr.ts";
import { dataAt } from "./data.ts";
import type { ImageView } from "./image-view.ts";
import { nameField } from "./name-field.ts";

/** A directory entry for programs: one JSON object a line. Keys with `_base64` stand in for names that are not UTF-8. */
export interface EntryRecord {
  path?: string;
  path_base64?: string;
  type: string;
  /** Octal, with the type bits. */
  mode: string;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  mtime_nsec: number;
  nlink: number;
  ino: number;
  rdev?: [major: number, minor: number];
  target?: string;
  target_base64?: string;
  /** Slot of the device table from 0, -1 when the data is in the image file; absent without data. */
  slot?: number;
  blob_id?: string;
  /** Byte of that file where the data begins. */
  offset?: number;
}

const LONGEST_TARGET = 4096;

/** @returns the target's bytes, undefined for what is no symlink */
export function targetOf({ fs }: ImageView, { node, attr }: WalkEntry): Uint8Array | undefined {
  if (!isSymlink(attr)) return undefined;
  const out = new Uint8Array(Math.max(attr.size, LONGEST_TARGET));
  return out.subarray(0, fs.readlink(node, out, 0));
}

export function describe(view: ImageView, walked: WalkEntry): EntryRecord {
  const { attr, path } = walked;
  const target = targetOf(view, walked);
  const data = isRegular(attr) ? dataAt(view.image, attr) : undefined;
  return {
    ...nameField("path", path),
    type: typeWord(attr),
    mode: attr.mode.toString(8).padStart(7, "0"),
    uid: attr.uid,
    gid: attr.gid,
    size: attr.size,
    mtime: attr.mtime,
    mtime_nsec: attr.mtimeNsec,
    nlink: attr.nlink,
    ino: attr.ino,
    ...(isDevice(attr) ? { rdev: deviceOf(attr) } : {}),
    ...(target === undefined ? {} : nameField("target", target)),
    ...(data === undefined ? {} : { slot: data.device - 1, offset: data.address }),
    ...(data === undefined || data.device === 0
      ? {}
      : { blob_id: elementAt(view.tables.devices, data.device - 1).id }),
  };
}

/** The same as one line for people: `-rwsr-xr-x 1000:1001 18 2023-11-14T22:13:20Z 0:d78eabf83678@1536 /bin/sh`. */
export function describeLine(view: ImageView, walked: WalkEntry): string {
  const { attr, path } = walked;
  const target = targetOf(view, walked);
  const size = isDevice(attr) ? deviceOf(attr).join(",") : String(attr.size);
  const fields = [
    modeText(attr),
    `${attr.uid}:${attr.gid}`.padEnd(9),
    size.padStart(9),
    timeText(attr),
    placeText(view, attr),
    showName(path) + (target === undefined ? "" : ` -> ${showName(target)}`),
  ];
  return fields.join(" ");
}

/** `0:d78eabf83678@1536` is byte 1536 of the first blob; `image@…` is the image file, `-` no data. */
function placeText({ tables, image }: ImageView, attr: Attr): string {
  const data = isRegular(attr) ? dataAt(image, attr) : undefined;
  if (data === undefined) return "-";
  if (data.device === 0) return `image@${data.address}`;
  const id = elementAt(tables.devices, data.device - 1).id.slice(0, 12);
  return `${data.device - 1}${id === "" ? "" : `:${id}`}@${data.address}`;
}
