import { Refusal } from "./refusal.ts";

/** Finds the value of a field, by its path as written with dots; undefined: it has none. */
export type FieldOf = (path: readonly string[]) => string | undefined;

type Selector = (field: FieldOf) => boolean;

/** A field's name, a word of letters and digits, or in quotes. */
const FIELD = /[A-Za-z][A-Za-z0-9_]*/y;
const OPERATOR = /==|!=|~=/y;
/** In double quotes as Go writes strings; for expressions, which have backslashes, also between slashes or bars. */
const QUOTED = /"(?:[^"\\]|\\.)*"|\/(?:[^/\\]|\\.)*\/|\|(?:[^|\\]|\\.)*\|/y;
const VALUE = /[^\s,]+/y;
const BLANKS = /\s*/y;

/**
 * Understands containerd's filters: selectors with commas between them must all hold, of several filters one.
 * `labels."a.b"==c`, `kind!=active`, `name~=/^k8s/`, and a field alone, which must be there.
 *
 * @returns whether something with such fields is meant; no filters mean everything
 * @throws Refusal "invalid argument" naming the filter and where it cannot be understood
 * @see https://github.com/containerd/containerd/blob/main/pkg/filters/filter.go
 */
export function parseFilters(filters: readonly string[]): (field: FieldOf) => boolean {
  const all = filters.map((filter) => new Parser(filter).parse());
  return (field) => all.length === 0 || all.some((selectors) => selectors.every((holds) => holds(field)));
}

class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** @returns none for an empty filter: it holds always */
  parse(): Selector[] {
    const selectors: Selector[] = [];
    this.take(BLANKS);
    if (this.at === this.text.length) return selectors;
    do selectors.push(this.selector());
    while (this.comma());
    if (this.at < this.text.length) this.fail("a comma");
    return selectors;
  }

  private selector(): Selector {
    const path = [this.field()];
    while (this.text[this.at] === ".") {
      this.at++;
      path.push(this.field());
    }
    this.take(BLANKS);
    const operator = this.take(OPERATOR);
    if (operator === undefined) return (field) => field(path) !== undefined;
    this.take(BLANKS);
    const value = this.quoted() ?? this.take(VALUE) ?? this.fail("a value");
    this.take(BLANKS);
    if (operator === "==") return (field) => field(path) === value;
    if (operator === "!=") return (field) => field(path) !== value;
    const expression = this.expression(value);
    return (field) => {
      const found = field(path);
      return found !== undefined && expression.test(found);
    };
  }

  private field(): string {
    return this.quoted() ?? this.take(FIELD) ?? this.fail("a field");
  }

  private comma(): boolean {
    if (this.text[this.at] !== ",") return false;
    this.at++;
    this.take(BLANKS);
    return true;
  }

  private quoted(): string | undefined {
    const start = this.at;
    const found = this.take(QUOTED);
    if (found === undefined) return undefined;
    if (!found.startsWith('"')) return found.slice(1, -1);
    try {
      return String(JSON.parse(found));
    } catch {
      this.at = start;
      return this.fail("a string in quotes");
    }
  }

  private expression(value: string): RegExp {
    try {
      return new RegExp(value);
    } catch {
      return this.fail("a regular expression");
    }
  }

  private take(what: RegExp): string | undefined {
    what.lastIndex = this.at;
    const found = what.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  private fail(wanted: string): never {
    throw new Refusal(
      "invalid argument",
      `filter ${JSON.stringify(this.text)}: want ${wanted} at ${this.at}`,
    );
  }
}
