/**
 * How often the kernel was given a node of an image (nlookup++ of each) and how often it forgot one: two counts a worker,
 * which only grow. The last two are of processes that served before.
 */
export const newNlookup = (workers: number): SharedArrayBuffer =>
  new SharedArrayBuffer(8 * COUNTS * (workers + 1));

/** Counts of one worker. */
export const NLOOKUP = { GIVEN: 0, FORGOTTEN: 1 } as const;
const COUNTS = 2;

/** The counts that worker `index` adds to. */
export const nlookupOf = (nlookup: SharedArrayBuffer, index: number): Float64Array =>
  new Float64Array(nlookup, 8 * COUNTS * index, COUNTS);

/**
 * Notes what the kernel had of an image when another process stopped serving it.
 *
 * @param outstanding undefined: not known, so it counts as never forgotten
 */
export function restoreOutstanding(nlookup: SharedArrayBuffer, outstanding: number | undefined): void {
  const counts = new Float64Array(nlookup);
  counts[counts.length - COUNTS + NLOOKUP.GIVEN] = outstanding ?? Number.NaN;
}

/** How many lookups the kernel has of an image while no process serves it; undefined: not known. */
export function outstandingOf(nlookup: SharedArrayBuffer): number | undefined {
  const sum = outstanding(new Float64Array(nlookup));
  return Number.isNaN(sum) ? undefined : sum;
}

function outstanding(counts: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < counts.length; at += COUNTS)
    sum += counts[at + NLOOKUP.GIVEN] - counts[at + NLOOKUP.FORGOTTEN];
  return sum;
}

/**
 * Whether there is a moment at which the kernel has forgotten every node of all these images. Workers count meanwhile,
 * but counts that were the same when they were read twice had those values in between.
 */
export function areForgotten(nlookups: readonly SharedArrayBuffer[]): boolean {
  const counts = nlookups.map((each) => new Float64Array(each));
  const before = counts.map((each) => each.slice());
  return (
    before.every((each) => outstanding(each) === 0) &&
    counts.every((each, i) => each.every((value, at) => value === before[i][at]))
  );
}
