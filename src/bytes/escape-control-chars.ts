/** Control, format and line-separating characters, halves of surrogate pairs: what a terminal obeys or shows as something else. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text as one line that a terminal only shows: every unseen character as JSON escapes it, `\n` or `\u001b`. */
export const escapeControlChars = (text: string): string => text.replace(UNSEEN, escaped);

function escaped(character: string): string {
  const short = JSON.stringify(character).slice(1, -1);
  if (short !== character) return short;
  return Array.from({ length: character.length }, (_, i) => unit(character.charCodeAt(i))).join("");
}

const unit = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;
