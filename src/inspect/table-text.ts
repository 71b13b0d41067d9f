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
  const all = [head, ...rows];
  const widths = head.map((_, i) => all.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0));
  const cell = (text: string, i: number) => {
    if (i === head.length - 1) return text;
    return right.has(head[i] ?? "") ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
  };
  return all.map((row) => `${row.map(cell).join("  ")}\n`).join("");
}
