import { appendFileSync, readFileSync, writeFileSync } from "node:fs";

/** Lines that `nydus-snapshotter-ts doctor --json` wants somewhere. */
export interface PrintedLines {
  readonly for: string;
  readonly file: string;
  readonly how: "append" | "change";
  readonly text: string;
}

/** Does as people would who are told to add, or to change, lines of TOML. */
export function follow({ file, how, text }: PrintedLines): void {
  if (how === "append") appendFileSync(file, `${text}\n`);
  else for (const table of text.split(/\n(?=\[)/)) changeTable(file, table);
}

const plain = (header: string) => header.trim().replaceAll("'", '"');

function changeTable(file: string, table: string): void {
  const [header = "", ...values] = table.split("\n");
  const lines = readFileSync(file, "utf8").split("\n");
  // Of a list's tables it is the one of the same snapshotter that is meant.
  const snapshotter = values.find((value) => value.trim().startsWith("snapshotter ="));
  const isMeant = (from: number) =>
    !header.startsWith("[[") ||
    lines.slice(from + 1, from + 1 + values.length).some((line) => plain(line) === plain(snapshotter ?? ""));
  const at = lines.findIndex((line, i) => plain(line) === plain(header) && isMeant(i));
  if (at === -1) throw new Error(`${file} has no ${header}, which doctor says is there`);
  for (const value of values) {
    const key = value.split("=")[0]?.trim() ?? "";
    const next = lines.findIndex((line, i) => i > at && line.trim().startsWith("["));
    const old = lines.findIndex(
      (line, i) => i > at && (next === -1 || i < next) && line.trim().startsWith(`${key} =`),
    );
    if (old === -1) lines.splice(at + 1, 0, value);
    else lines[old] = value;
  }
  writeFileSync(file, lines.join("\n"));
}
