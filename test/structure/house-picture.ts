import type { SourceFile } from "./imports.ts";
import { layersOf, roomGraph, withoutShortCuts } from "./room-graph.ts";

/** Everything rests on it: its arrows would only hide the others. */
const FOUNDATION = "bytes";
const BEGIN = "<!-- drawn from the imports: npm run docs -->\n";
const END = "<!-- end of the drawing -->\n";
/** Sizes in the drawing are redrawn when they are wrong by more than this part. */
const TOLERANCE = 0.25;

interface Size {
  readonly files: number;
  readonly lines: number;
}

/**
 * The document with its drawing of the rooms as the imports are now.
 *
 * @param markdown docs/architecture.md
 * @throws Error without the two markers, or when rooms import each other in a circle
 */
export function withHousePicture(markdown: string, files: readonly SourceFile[]): string {
  const from = markdown.indexOf(BEGIN);
  const to = markdown.indexOf(END);
  if (from < 0 || to < from)
    throw new Error(`docs/architecture.md: want the lines "${BEGIN.trim()}" and "${END.trim()}"`);
  const begin = from + BEGIN.length;
  return markdown.slice(0, begin) + draw(files, sizesIn(markdown.slice(begin, to))) + markdown.slice(to);
}

/** Mermaid: one line a room, the upper layers first, and its arrows down. */
function draw(files: readonly SourceFile[], drawn: ReadonlyMap<string, Size>): string {
  const graph = roomGraph(files.filter(({ room }) => room !== FOUNDATION));
  for (const targets of graph.values()) (targets as Set<string>).delete(FOUNDATION);
  const arrows = withoutShortCuts(graph);
  const sizes = sizesOf(files);
  const lines = layersOf(graph)
    .reverse()
    .flatMap((rooms) => [
      "",
      ...rooms.map((room) => line(room, shown(sizes.get(room), drawn.get(room)), arrows.get(room))),
    ]);
  return ["```mermaid", "flowchart TD", ...lines, "```", ""].join("\n");
}

function line(room: string, { files, lines }: Size, targets: ReadonlySet<string> = new Set()): string {
  const arrows = targets.size === 0 ? "" : ` --> ${[...targets].sort().join(" & ")}`;
  return `  ${room}["${room}<br>${files} files, ${lines} lines"]${arrows}`;
}

/** What is drawn already, while it is about right: a new line is no reason to draw anew. */
function shown(now: Size = { files: 0, lines: 0 }, drawn: Size | undefined): Size {
  const isRight = (a: number, b: number) => Math.abs(a - b) <= TOLERANCE * b + 1;
  return drawn !== undefined && isRight(now.files, drawn.files) && isRight(now.lines, drawn.lines)
    ? drawn
    : { files: now.files, lines: Number(now.lines.toPrecision(2)) };
}

const sizesIn = (drawing: string): Map<string, Size> =>
  new Map(
    [...drawing.matchAll(/([\w-]+)\["[^<]*<br>(\d+) files, (\d+) lines"\]/g)].map(
      ([, room = "", files, lines]) => [room, { files: Number(files), lines: Number(lines) }],
    ),
  );

function sizesOf(files: readonly SourceFile[]): Map<string, Size> {
  const sizes = new Map<string, Size>();
  for (const { room, text } of files) {
    const { files: before, lines } = sizes.get(room) ?? { files: 0, lines: 0 };
    sizes.set(room, { files: before + 1, lines: lines + text.split("\n").length - 1 });
  }
  return sizes;
}
