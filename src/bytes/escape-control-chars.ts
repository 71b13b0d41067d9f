/**
 * What a terminal obeys, does not show, or shows as something else: control, format and line-separating characters, halves of
 * surrogate pairs, what is assigned to nothing or to private use, what is ignored (fillers, selectors), and blanks but the one.
 */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;
/** What only looks like ASCII, as ligatures, Roman numerals and letters of mathematics do. */
const FOREIGN = /[^\p{ASCII}]/gu;
/**
 * Unicode has these for ASCII in another form, too, and people see which: raised, lowered, in circles and squares, of double width,
 * the three dots, №.
 */
const OTHER_FORM =
  /[\u00aa\u00b2\u00b3\u00b9\u00ba\u02b0-\u02e4\u1d2c-\u1d6a\u2026\u2070-\u209c\u2116\u2120-\u2122\u2460-\u24ff\u3250\u32cc-\u32cf\u3300-\u33ff\uff01-\uff5e\u{1f100}-\u{1f1ff}]/u;
/** What a reader would take for an escape, or for the beginning of the one that may follow. */
const BACKSLASH = /\\(?=[\\nrtbf]|u[0-9a-f]{4}|[^ -~]|$)/gu;

/**
 * A text as one line that a terminal only shows: every unseen character as JSON escapes it, `\n` or `\u001b`, and of characters
 * that look like another's the one that is not in Unicode's normal form, or not ASCII. JSON is the same to its reader afterwards.
 */
export function escapeControlChars(text: string): string {
  const seen = text
    .replace(UNSEEN, escaped)
    .replace(FOREIGN, (each) => (isLikeAscii(each) ? escaped(each) : each));
  return seen.normalize("NFC") === seen ? seen : withoutVariants(seen);
}

/**
 * A name, or a message that has names in it, as people see it: in one line, and two different ones never alike. A backslash is
 * doubled where it would look like the beginning of an escape.
 */
export const shown = (text: string): string => escapeControlChars(text.replace(BACKSLASH, "\\\\"));

const isLikeAscii = (character: string): boolean =>
  /^[!-~]+$/.test(character.normalize("NFKC")) && !OTHER_FORM.test(character);

/** Marks and letters that another sequence is the normal form of: `e` and an accent where there is é. */
function withoutVariants(text: string): string {
  let out = "";
  let before = "";
  for (const character of text) {
    const both = before + character;
    const isVariant = character.normalize("NFC") !== character || both.normalize("NFC") !== both;
    const written: string = isVariant ? escaped(character) : character;
    out += written;
    before = written; // a mark that follows would be one with the last letter of an escape, too
  }
  return out;
}

function escaped(character: string): string {
  const short = JSON.stringify(character).slice(1, -1);
  if (short !== character) return short;
  return Array.from({ length: character.length }, (_, i) => unit(character.charCodeAt(i))).join("");
}

const unit = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;
