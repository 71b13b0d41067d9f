import { roomOf, type SourceFile } from "./imports.ts";

/** Room → the rooms that it imports. */
export type RoomGraph = ReadonlyMap<string, ReadonlySet<string>>;

export function roomGraph(files: readonly SourceFile[]): RoomGraph {
  const graph = new Map(files.map(({ room }) => [room, new Set<string>()]));
  for (const file of files)
    for (const specifier of file.imports) {
      const to = roomOf(file, specifier);
      if (to !== undefined && to !== file.room) graph.get(file.room)?.add(to);
    }
  return graph;
}

/**
 * Rooms by the longest way down from each: layer 0 imports nothing, and every arrow leads to a lower layer.
 *
 * @throws Error that names the rooms of a circle
 */
export function layersOf(graph: RoomGraph): string[][] {
  const heights = new Map<string, number>();
  const heightOf = (room: string, above: readonly string[]): number => {
    if (above.includes(room))
      throw new Error(`rooms import each other in a circle: ${[...above, room].join(" -> ")}`);
    const known = heights.get(room);
    if (known !== undefined) return known;
    const below = [...(graph.get(room) ?? [])].map((to) => heightOf(to, [...above, room]));
    const height = Math.max(-1, ...below) + 1;
    heights.set(room, height);
    return height;
  };
  const layers: string[][] = [];
  for (const room of [...graph.keys()].sort()) {
    const height = heightOf(room, []);
    while (layers.length <= height) layers.push([]);
    layers[height]?.push(room);
  }
  return layers;
}

/** The arrows that are no short cut of a longer way; of a graph without circles. */
export function withoutShortCuts(graph: RoomGraph): RoomGraph {
  const isReached = (from: string, to: string): boolean =>
    from === to || [...(graph.get(from) ?? [])].some((next) => isReached(next, to));
  return new Map(
    [...graph].map(([room, targets]) => [
      room,
      new Set([...targets].filter((to) => ![...targets].some((via) => via !== to && isReached(via, to)))),
    ]),
  );
}
