import { shown } from "../bytes/escape-control-chars.ts";
import { showName } from "../bytes/name.ts";
import type { MarkerVersion, Version } from "../layers/layered-image.ts";
import { deviceOf, isDevice, isDirectory, isRegular, modeText, timeText, typeWord } from "./attr.ts";
import type { Explained, NamedLayer } from "./explain.ts";
import { placeText, SHOWN_ID } from "./place-text.ts";
import { tableText } from "./table-text.ts";

const HEAD = ["LAYER", "WHAT", "MODE", "OWNER", "SIZE", "MODIFIED", "TAR@OFFSET", "FATE"];
const RIGHT: ReadonlySet<string> = new Set(["LAYER", "SIZE"]);

/** For people: who has it, then a line a version, the upper layer's first; what a name is in stands last on its line. */
export function explainText(explained: Explained, size: (bytes: number) => string): string {
  const { path, versions, markers } = explained;
  const rows = [
    ...versions.map((version) => ({ layer: version.layer, row: versionRow(version, path, size) })),
    ...markers.map((marker) => ({ layer: marker.layer, row: markerRow(marker) })),
  ];
  rows.sort((a, b) => b.layer - a.layer); // of one layer: its version is above what its marker hides
  return `${headline(explained)}\n${tableText(
    HEAD,
    rows.map(({ row }) => row),
    RIGHT,
  )}`;
}

/** A line a layer: which tar it is, and the step of a build that made it. */
export const layersText = (named: readonly NamedLayer[]): string =>
  named
    .map(({ number, layer: { id, made } }) => {
      const by = made?.by === undefined ? "" : `  ${shown(made.by)}`;
      return `layer ${number}: ${id.slice(0, SHOWN_ID)}${by}
`;
    })
    .join("");

function headline({ path, versions, markers, layers }: Explained): string {
  const seen = versions.find(({ fate }) => fate === "seen");
  if (seen !== undefined) {
    const from =
      layers === undefined ? "from an unknown layer" : `from layer ${seen.layer} of ${layers.length}`;
    const target = seen.target === undefined ? "" : ` -> ${showName(seen.target)}`;
    return `${typeWord(seen)} ${from}: ${showName(path)}${target}`;
  }
  const [last] = versions;
  const name = showName(path);
  if (last === undefined) return `not in the image, layer ${markers[0]?.layer} names it in a marker: ${name}`;
  const gone = `not in the image, layer ${last.by?.layer} takes it away`;
  const files = versions.filter(isRegular);
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (bytes === 0) return `${gone}: ${name}`;
  const where = files.map(({ layer }) => layer).join(", ");
  return `${gone}; ${bytes} bytes can still be read in layer ${where}: ${name}`;
}

function versionRow(version: Version, path: Uint8Array, size: (bytes: number) => string): string[] {
  const { layer, uid, gid, isImplicit } = version;
  const isSized = !isDirectory(version);
  return [
    layer === 0 ? "-" : String(layer),
    typeWord(version),
    isImplicit ? "-" : modeText(version),
    isImplicit ? "-" : `${uid}:${gid}`,
    isDevice(version) ? deviceOf(version).join(",") : isSized ? size(version.size) : "-",
    isImplicit ? "-" : timeText(version),
    placeText(version),
    fateText(version, path) + (isImplicit ? ", not named by its layer" : ""),
  ];
}

function fateText({ fate, by }: Version, path: Uint8Array): string {
  if (by === undefined) return "seen";
  if (fate === "overwritten") return `overwritten by ${by.layer}`;
  if (fate === "attributes") return `named again by ${by.layer}`;
  if (fate === "replaced" && Buffer.compare(by.path, path) === 0) return `replaced by ${by.layer}`;
  return `${fate === "replaced" ? "replaced" : "hidden"} in ${by.layer} by ${showName(by.path)}`;
}

function markerRow(marker: MarkerVersion): string[] {
  const { layer, kind, hides } = marker;
  return [
    String(layer),
    kind,
    "-",
    "-",
    "-",
    timeText(marker),
    "-",
    `hides ${hides === 0 ? "nothing" : hides}`,
  ];
}
