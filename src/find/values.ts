import { amount, Wanted } from "./predicate.ts";

const DAY = 86_400;
/** Of `find -size`; a number alone is of blocks of 512 bytes. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ["c", 1],
  ["w", 2],
  ["b", 512],
  ["k", 1024],
  ["M", 1024 ** 2],
  ["G", 1024 ** 3],
]);

/** As `find -size`: of units, of which one that is begun counts. @returns of bytes; NaN is none */
export function sizeTest(value: string): (bytes: number) => boolean {
  const [, number = "", unit = "b"] = /^([+-]?\d+)([cwbkMG]?)$/.exec(value) ?? [];
  const bytes = UNITS.get(unit || "b") ?? 1;
  const isMeant = amount(number, "a size, with one of c, w, b, k, M, G behind it or none");
  return (size) => isMeant(Math.ceil(size / bytes));
}

/** As `find -perm`: just these bits, all of `-BITS`, any of `/BITS`. */
export function permTest(value: string): (mode: number) => boolean {
  const [, kind, digits] = /^([-/]?)([0-7]{1,4})$/.exec(value) ?? [];
  if (digits === undefined) throw new Wanted("want octal digits: 755, -4000 for all of them, /022 for any");
  const bits = Number.parseInt(digits, 8);
  if (kind === "-") return (mode) => (mode & bits) === bits;
  if (kind === "/") return (mode) => bits === 0 || (mode & bits) !== 0;
  return (mode) => (mode & 0o7777) === bits;
}

type TimeTest = (seconds: number, nsec: number) => boolean;

/** Later than a time: ISO 8601, of UTC where it does not say, or `@seconds`. */
export function newerTest(value: string): TimeTest {
  const [, whole, fraction = ""] = /^@(-?\d{1,15})(?:\.(\d{1,9}))?$/.exec(value) ?? isoParts(value) ?? [];
  if (whole === undefined) throw new Wanted("want a time: 2026-11-30, 2026-11-30T12:00:00Z or @1700000000");
  const [seconds, nsec] = [Number(whole), Number(fraction.padEnd(9, "0"))];
  return (mtime, mtimeNsec) => mtime > seconds || (mtime === seconds && mtimeNsec > nsec);
}

function isoParts(value: string): string[] | undefined {
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?$/.exec(value);
  if (iso === null) return undefined;
  const [, day = "", time = "00:00", seconds = ":00", fraction = "", zone = "Z"] = iso;
  const ms = Date.parse(`${day}T${time}${seconds}${zone}`);
  return Number.isNaN(ms) || !isDay(day) ? undefined : ["", String(ms / 1000), fraction];
}

/** JavaScript takes the 30th of February for one of March. */
const isDay = (day: string): boolean => new Date(`${day}T00:00Z`).getUTCDate() === Number(day.slice(-2));

/** As `find -mtime`: whole days before now. */
export function ageTest(value: string, now: number): TimeTest {
  const isMeant = amount(value, "days");
  return (mtime, mtimeNsec) => isMeant(Math.floor((now - mtime - mtimeNsec / 1e9) / DAY));
}
