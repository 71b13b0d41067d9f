import { columns } from "../bytes/columns.ts";

/**
 * Rows below a head, in columns as wide as they must be; the last one is as it is, for names stand there.
 *
 * @param right names of columns of numbers
 * @returns lines, each with its end
 */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<string>,
): string {
  const last = head.length - 1;
  const isRight = head.map((name, i) => i !== last && right.has(name));
  return columns([head, ...rows], isRight)
    .map((line) => `${line}\n`)
    .join("");
}
