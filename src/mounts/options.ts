import { kindOf } from "./option-words.ts";

export interface SplitOptions {
  /** In their order: a later word wins over its opposite. */
  readonly ofMount: readonly string[];
  readonly ofFileSystem: readonly string[];
}

/** @param words as after `-o`, without those of mount(8) */
export const splitOptions = (words: readonly string[]): SplitOptions => ({
  ofMount: words.filter((word) => kindOf(word) === "mount"),
  ofFileSystem: words.filter((word) => kindOf(word) !== "mount"),
});

/** Words as one argument of mount(8): it takes quotes away again. */
export const joinOptions = (words: readonly string[]): string =>
  words.map((word) => (word.includes(",") ? word.replace(/=(.*)$/s, '="$1"') : word)).join(",");

/** A source as mount(8) takes it: of `LABEL=x` it would look for a device that has this label. */
export const asSource = (name: string): string =>
  /^(LABEL|UUID|PARTLABEL|PARTUUID|ID)=/.test(name) ? `./${name}` : name;
