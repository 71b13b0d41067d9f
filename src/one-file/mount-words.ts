/**
 * The words of mount(8) to a helper, IMAGE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE], as those of `nydusd-ts`. The same as the
 * shell script bin/mount.nydusd-ts, which a test holds it to.
 *
 * @returns undefined for a mount of which all but the mount is to be done: nothing
 */
export function mountWords(words: readonly string[]): string[] | undefined {
  const kept: string[] = [];
  let takes: "options" | "value" | undefined;
  for (const word of words) {
    const isTaken = takes;
    takes = undefined;
    if (isTaken === "value") continue;
    if (isTaken === undefined) {
      if (word === "-o") takes = "options";
      else if (word === "-N" || word === "-t") {
        takes = "value";
        continue;
      } else if (/^-.*f/s.test(word)) return undefined;
      else if (word.startsWith("-")) continue;
    }
    kept.push(word);
  }
  return kept;
}
