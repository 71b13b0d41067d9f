/** What a line may begin and end with: blanks in ASCII. Bytes above it are parts of names. */
const isBlank = (byte: number | undefined): boolean =>
  byte !== undefined && (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));

/** A line of a list that says something. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: Uint8Array;
}

/** Lines of a list of paths, which are bytes: trimmed, the empty ones left out. */
export function* trimmedLines(list: Uint8Array): Generator<Line> {
  let number = 0;
  for (let at = 0; at < list.length; ) {
    let end = list.indexOf(0x0a, at);
    if (end < 0) end = list.length;
    number++;
    let from = at;
    let to = end;
    while (from < to && isBlank(list[from])) from++;
    while (to > from && isBlank(list[to - 1])) to--;
    if (to > from) yield { number, text: list.subarray(from, to) };
    at = end + 1;
  }
}
