import { InvalidArgumentError } from "commander";
import { parseAddress } from "../src/daemon/metrics-address.ts";
import { parsePlatform, type WantedPlatform } from "../src/source/platform.ts";

/** For an option that may be given several times. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** The same for names. */
export const collectNames = (value: string, before: readonly string[] = []): string[] =>
  collect(nonEmpty(value), before);

/** A whole number in a range. */
export function integer(low: number, high: number): (value: string) => number {
  return (value) => {
    const n = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (n >= low && n <= high) return n;
    throw new InvalidArgumentError(`want a whole number from ${low} to ${high}.`);
  };
}

const UNITS = "KMGT";

/** Bytes, or as many of 1024, 1024² … */
export function size(value: string): number {
  const [, digits, unit] = /^(\d+)([KMGT]?)$/.exec(value) ?? [];
  const bytes = Number(digits) * 1024 ** (unit ? UNITS.indexOf(unit) + 1 : 0);
  if (bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("want a number of bytes, such as 4294967296, 4096M or 4G.");
}

/** `ID=PATH`, several times. */
export function collectBlob(value: string, before: readonly [string, string][]): [string, string][] {
  const cut = value.indexOf("=");
  if (cut < 1 || cut === value.length - 1) throw new InvalidArgumentError("want ID=PATH.");
  return [...before, [value.slice(0, cut), value.slice(cut + 1)]];
}

export function address(value: string): ReturnType<typeof parseAddress> {
  const parsed = parseAddress(value);
  if (parsed === undefined) throw new InvalidArgumentError("want [HOST:]PORT.");
  return parsed;
}

export function platform(value: string): WantedPlatform {
  const parsed = parsePlatform(value);
  if (parsed === undefined)
    throw new InvalidArgumentError("want os/architecture[/variant], such as linux/arm64.");
  return parsed;
}

export function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("want a name.");
  return value;
}
