/** What people say for a command, who know it from elsewhere. */
const SYNONYMS: Readonly<Record<string, string>> = {
  unmount: "umount",
  eject: "umount",
  list: "ls",
  ps: "ls",
  check: "doctor",
  prune: "cache gc",
};

/** The most that a word may differ: a third of its letters. */
const MOST = 1 / 3;

/** @returns the known word that is meant most probably */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const synonym = SYNONYMS[word];
  if (synonym !== undefined && known.includes(synonym.split(" ")[0] ?? "")) return synonym;
  const near = known
    .map((each) => ({ each, away: distance(word, each) }))
    .filter(
      ({ each, away }) =>
        away <= Math.max(1, MOST * Math.max(word.length, each.length)) && away < each.length,
    )
    .sort((a, b) => a.away - b.away);
  return near[0]?.each;
}

/** Letters that are to be added, taken away, replaced or swapped (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const at = (di: number, dj: number) => (di === 0 ? row : rows[i - di])?.[j - dj] ?? 0;
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row.push(
        Math.min(at(1, 0) + 1, at(0, 1) + 1, at(1, 1) + same, isSwapped ? at(2, 2) + 1 : a.length + b.length),
      );
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
