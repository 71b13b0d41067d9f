/**
 * Rows in columns as wide as their cells, two blanks between them; the last one is as long as it likes.
 *
 * @param isRight by column: its cells stand to the right
 * @returns lines without their ends
 */
export function columns(rows: readonly (readonly string[])[], isRight: readonly boolean[]): string[] {
  const widths = isRight.map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0));
  const cell = (text: string, i: number) => {
    if (isRight[i]) return text.padStart(widths[i] ?? 0);
    return i === isRight.length - 1 ? text : text.padEnd(widths[i] ?? 0);
  };
  return rows.map((row) => row.map(cell).join("  "));
}
