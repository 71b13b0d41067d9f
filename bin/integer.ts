import { InvalidArgumentError } from "commander";

/** A whole number in a range, as an option's parser. */
export function integer(low: number, high: number): (value: string) => number {
  return (value) => {
    const n = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (n >= low && n <= high) return n;
    throw new InvalidArgumentError(`want a whole number from ${low} to ${high}.`);
  };
}
