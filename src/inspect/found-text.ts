import { showName } from "../bytes/name.ts";
import type { Rows } from "../find/rows.ts";
import type { Version } from "../layers/layered-image.ts";
import { deviceOf, isDevice, isDirectory } from "./attr.ts";
import { fateText } from "./fate-text.ts";
import { placeText } from "./place-text.ts";
import type { SizeText } from "./size-text.ts";
import { tableText } from "./table-text.ts";

const HEAD = ["LAYER", "SIZE", "FATE", "TAR@OFFSET", "PATH"];
const RIGHT: ReadonlySet<string> = new Set(["LAYER", "SIZE"]);

/** A line a row; names stand last. */
export const foundText = (rows: Rows, found: ArrayLike<number>, size: SizeText): string =>
  tableText(
    HEAD,
    Array.from(found, (row) => cells(rows, row, size)),
    RIGHT,
  );

function cells(rows: Rows, row: number, size: SizeText): string[] {
  const marker = rows.marker(row);
  const path = showName(rows.path(row));
  if (marker !== undefined)
    return [String(marker.layer), "-", `hides ${marker.hides === 0 ? "nothing" : marker.hides}`, "-", path];
  const version = rows.image.version(row);
  const { layer, target } = version;
  const link = target === undefined ? "" : ` -> ${showName(target)}`;
  return [
    layer === 0 ? "-" : String(layer),
    sizeCell(version, size),
    fateText(version),
    placeText(version),
    path + link,
  ];
}

function sizeCell(version: Version, size: SizeText): string {
  if (isDevice(version)) return deviceOf(version).join(",");
  return isDirectory(version) ? "-" : size(version.size);
}
