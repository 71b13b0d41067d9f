/** What docs/architecture.md says of a room. */
export interface Room {
  readonly name: string;
  readonly mayImport: ReadonlySet<string>;
  readonly npm: ReadonlySet<string>;
  /** Builtin of Node → files of the room that may import it, undefined for all of them. */
  readonly node: ReadonlyMap<string, ReadonlySet<string> | undefined>;
}

const IMPORTS = ["room", "what it knows", "may import", "must never know"];
const OUTSIDE = ["room", "npm", "node"];
const EVERY_ROOM = "every room";
const NOTHING = "–";

/**
 * Reads the two tables of rooms: who imports whom, and who imports what from outside of the project.
 *
 * @param markdown docs/architecture.md
 * @throws Error that names the row and the cure
 */
export function roomsIn(markdown: string): ReadonlyMap<string, Room> {
  const imports = rowsOf(markdown, IMPORTS);
  const outside = rowsOf(markdown, OUTSIDE);
  const names = new Set(imports.keys());
  outside.delete(EVERY_ROOM);
  for (const name of outside.keys())
    if (!names.has(name)) throw problem(name, `has a row in "${OUTSIDE.join(" | ")}" alone`);
  return new Map(
    [...imports].map(([name, [, mayImport]]) => {
      const [npm = NOTHING, node = NOTHING] = outside.get(name) ?? [];
      const rooms = list(mayImport);
      const unknown = rooms.find((room) => !names.has(room) || room === name);
      if (unknown !== undefined)
        throw problem(name, `"may import" names ${unknown}, which is no other room of the table`);
      return [name, { name, mayImport: new Set(rooms), npm: new Set(list(npm)), node: builtins(node) }];
    }),
  );
}

/** Builtins of Node that every room may import: they reach nothing outside of the process. */
export const freeBuiltins = (markdown: string): ReadonlySet<string> =>
  new Set(list(rowsOf(markdown, OUTSIDE).get(EVERY_ROOM)?.[1]));

/** `fs, net (talk, listen)`: the whole room, and two files of it. */
function builtins(cell: string): Room["node"] {
  return new Map(
    [...cell.matchAll(/(\w+)(?: \(([^)]+)\))?/g)].map(([, builtin, files]) => [
      builtin,
      files === undefined ? undefined : new Set(list(files)),
    ]),
  );
}

/** The cells after the first of each row, by the name in the first. */
function rowsOf(markdown: string, head: readonly string[]): Map<string, string[]> {
  const lines = markdown.split("\n");
  const from = lines.indexOf(`| ${head.join(" | ")} |`);
  if (from < 0) throw new Error(`docs/architecture.md: there is no table "| ${head.join(" | ")} |"`);
  const rows = new Map<string, string[]>();
  for (const line of lines.slice(from + 2)) {
    if (!line.startsWith("|")) break;
    const [first = "", ...cells] = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    const name = first === EVERY_ROOM ? first : /^`([\w-]+)\/?`$/.exec(first)?.[1];
    if (name === undefined || cells.length !== head.length - 1)
      throw new Error(`docs/architecture.md: not a row of "| ${head.join(" | ")} |": ${line}`);
    if (rows.has(name)) throw problem(name, "has two rows in one table");
    rows.set(name, cells);
  }
  return rows;
}

const list = (cell = NOTHING): string[] => (cell === NOTHING ? [] : cell.split(", "));

const problem = (room: string, what: string): Error =>
  new Error(`docs/architecture.md, Rooms: row \`${room}\`: ${what}`);
