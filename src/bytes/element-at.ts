/**
 * An element that is there by what the code around it knows. Not for loops over bytes, where the check costs.
 *
 * @throws RangeError, which is a mistake of this program
 */
export function elementAt<T>(all: readonly (T | undefined)[], i: number): T {
  const element = all[i];
  if (element === undefined) throw new RangeError(`no element ${i} of ${all.length}`);
  return element;
}
