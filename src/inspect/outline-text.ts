import { S_IFDIR } from "../bytes/errno.ts";
import { columns } from "../bytes/columns.ts";
import { showName } from "../bytes/name.ts";
import type { OutlineRow } from "../find/outline.ts";
import type { Rows } from "../find/rows.ts";
import { versionRecord } from "./explain-json.ts";
import { fateText } from "./fate-text.ts";
import { nameField } from "./name-field.ts";
import type { SizeText } from "./size-text.ts";

/** Which columns stand in front of names. */
export interface OutlineColumns {
  /** Absent: none of sizes. */
  readonly size: SizeText | undefined;
  readonly hasLayers: boolean;
}

/** As tree(1) draws it: a line a row, and how many there are. */
export function outlineText(
  rows: Rows,
  drawn: readonly OutlineRow[],
  { size, hasLayers }: OutlineColumns,
): string {
  const known = rows.image.layers.length > 0;
  /** By depth: whether nothing more comes beside what is above. */
  const isDone: boolean[] = [];
  const lines = drawn.map((one) => {
    const { row, depth, isLast, bytes, layers } = one;
    isDone[depth] = isLast;
    const bars = isDone.slice(1, depth).map((done) => (done ? "    " : "│   "));
    const branch = depth === 0 ? "" : isLast ? "└── " : "├── ";
    const text = `${bars.join("")}${branch}${nameOf(rows, row, depth)}`;
    return [
      ...(size === undefined ? [] : [size(bytes)]),
      ...(hasLayers ? [known ? layersCell(layers) : "-"] : []),
      rows.isSeen(row) ? text : `${text}  ${fateText(rows.image.version(row))}`,
    ];
  });
  const isRight = [...(size === undefined ? [] : [true]), ...(hasLayers ? [false] : []), false];
  return columns(lines, isRight)
    .map((line) => `${line}\n`)
    .join("");
}

/** For programs: a row, and how deep it is. */
export const outlineRecord = (rows: Rows, { row, depth, bytes }: OutlineRow): object => ({
  ...{ depth, ...nameField("path", rows.path(row)), bytes },
  ...versionRecord(rows.image.version(row)),
});

function nameOf(rows: Rows, row: number, depth: number): string {
  const name = showName(depth === 0 ? rows.path(row) : rows.name(row));
  const target = rows.target(row);
  if (target !== undefined) return `${name} -> ${showName(target)}`;
  return rows.type(row) === S_IFDIR && name !== "/" ? `${name}/` : name;
}

const layersCell = ([from, to]: readonly [number, number]): string =>
  from === to ? String(from) : `${from}-${to}`;
