import { beforeEach } from "vitest";

/**
 * Leaves out the tests of the `describe` or the file that calls it, when something is missing here. Each is named with
 * the reason at the end of the run, see `left-out.ts`.
 *
 * @param absent what is missing, in words; undefined when nothing is
 */
export function needs(absent: string | undefined): void {
  if (absent !== undefined) beforeEach((test) => test.skip(absent));
}
