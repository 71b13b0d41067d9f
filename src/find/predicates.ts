import * as errno from "../bytes/errno.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { danglingTest } from "./dangling.ts";
import { glob, type Matcher, regex } from "./glob.ts";
import { emptyTest, linksOf } from "./last-state.ts";
import {
  amount,
  anyOf,
  negatable,
  type Parse,
  type Predicate,
  type Test,
  Wanted,
  word,
} from "./predicate.ts";
import type { Rows } from "./rows.ts";
import { isSecret } from "./secrets.ts";
import { inTar } from "./in-tar.ts";
import { ageTest, newerTest, permTest, sizeTest } from "./values.ts";
import { capabilityOf, xattrNamed } from "./xattrs.ts";

const TYPES: ReadonlyMap<string, number> = new Map([
  ["f", errno.S_IFREG],
  ["d", errno.S_IFDIR],
  ["l", errno.S_IFLNK],
  ["b", errno.S_IFBLK],
  ["c", errno.S_IFCHR],
  ["p", errno.S_IFIFO],
  ["s", errno.S_IFSOCK],
]);

const CAPS: ReadonlyMap<string, number> = new Map(CAPABILITIES.map((name, i) => [name, i]));

const named =
  (matches: Matcher): Predicate =>
  (rows) =>
  (row) =>
    matches(rows.name(row));
const pathed =
  (matches: Matcher): Predicate =>
  (rows) =>
  (row) =>
    matches(rows.path(row));

const number =
  (what: string, of: (rows: Rows, row: number) => number): Parse =>
  (value) => {
    const isMeant = amount(value, what);
    return (rows) => (row) => isMeant(of(rows, row));
  };

function layerNumber(value: string): Predicate {
  const layer = /^[1-9]\d{0,4}$/.test(value) ? Number(value) : undefined;
  if (layer === undefined) throw new Wanted("want numbers of layers, 1 is the lowest");
  return (rows) => {
    rows.mustHaveLayer(layer);
    return (row) => rows.layer(row) === layer;
  };
}

const typed = (value: string): Predicate => {
  const type = word(value, TYPES);
  return (rows) => (row) => rows.type(row) === type;
};

const permitted = (value: string): Predicate => {
  const isMeant = permTest(value);
  // A symlink has bits, which nothing asks for; find(1) looks at them all the same.
  return (rows) => (row) => row < rows.versions && isMeant(rows.mode(row));
};

const sized = (value: string): Predicate => {
  const isMeant = sizeTest(value);
  return (rows) => (row) => isMeant(rows.size(row));
};

const timed =
  (parse: (value: string) => (seconds: number, nsec: number) => boolean): Parse =>
  (value) => {
    const isMeant = parse(value);
    return (rows) => (row) => isMeant(rows.mtime(row), rows.mtimeNsec(row));
  };

const linkTo = (value: string): Predicate => {
  const matches = glob(value);
  return (rows) => (row) => {
    const target = rows.target(row);
    return target !== undefined && matches(target);
  };
};

const withCap = (value: string): Predicate =>
  capabilityOf(word(value.toLowerCase().replace(/^cap_/, ""), CAPS));

/** By the option that takes the value. @param now seconds, for ages */
export const valuePredicates = (now: number): Readonly<Record<string, Parse>> => ({
  "--name": anyOf((value) => named(glob(value))),
  "--iname": anyOf((value) => named(glob(value, true))),
  "--path": anyOf((value) => pathed(glob(value))),
  "--regex": negatable((value) => pathed(regex(value))),
  "--type": anyOf(typed),
  "--size": anyOf(sized),
  "--perm": anyOf(permitted),
  "--uid": anyOf(number("numbers of users", (rows, row) => rows.uid(row))),
  "--gid": anyOf(number("numbers of groups", (rows, row) => rows.gid(row))),
  "--newer": negatable(timed(newerTest)),
  "--mtime": anyOf(timed((value) => ageTest(value, now))),
  "--links": anyOf((value) => {
    const isMeant = amount(value, "how many names");
    return (rows) => {
      const links = linksOf(rows);
      return (row) => isMeant(links(row));
    };
  }),
  "--lname": anyOf(linkTo),
  "--layer": anyOf(layerNumber),
  "--in-tar": negatable(inTar),
  "--xattr": anyOf((value) => xattrNamed(glob(value))),
  "--cap": anyOf(withCap),
});

/** By the option, which takes none. */
export const FLAG_PREDICATES: Readonly<Record<string, Predicate>> = {
  "--empty": emptyTest,
  "--dangling": danglingTest,
  "--secret": (rows) => (row) => rows.type(row) !== errno.S_IFDIR && isSecret(rows.path(row)),
  "--cap": capabilityOf(undefined),
};

/** All of them at once. */
export function allOf(rows: Rows, predicates: readonly Predicate[]): Test {
  const tests = predicates.map((predicate) => predicate(rows));
  const [only] = tests;
  if (only !== undefined && tests.length === 1) return only;
  return (row) => tests.every((test) => test(row));
}
