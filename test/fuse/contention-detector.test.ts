import { describe, expect, it } from "vitest";
import { ContentionDetector } from "../../src/fuse/contention-detector.ts";

interface Sample {
  readonly callers: readonly number[];
  readonly waited: number;
  readonly served: number;
}

/** Indexes of the samples at which it reports contention. */
function reportedAt(samples: readonly Sample[]): number[] {
  const detector = new ContentionDetector();
  return samples.flatMap(({ callers, waited, served }, i) => {
    for (const caller of callers) detector.note(caller);
    return detector.sample(waited, served) ? [i] : [];
  });
}

const ONE = new Array(16).fill(7);
const FOUR = Array.from({ length: 16 }, (_, i) => i % 4);
const times = (n: number, ...samples: Sample[]): Sample[] => new Array(n).fill(samples).flat();

const alone = { callers: ONE, waited: 0.03, served: 0.01 };
const fast = { callers: ONE, waited: 0.001, served: 0.01 };
const queued = { callers: FOUR, waited: 0.001, served: 0.01 };
const spaced = { callers: FOUR, waited: 0.03, served: 0.01 };

describe("contention is reported", () => {
  const cases = [
    { name: "never by one caller", samples: times(50, alone), want: [] },
    { name: "never by one caller that comes back at once", samples: times(50, fast), want: [] },
    { name: "never by callers that take turns", samples: times(50, spaced), want: [] },
    { name: "when callers keep waiting", samples: times(13, queued), want: [5, 11] },
    { name: "not when every second one does", samples: times(20, queued, spaced), want: [] },
    { name: "not by one caller on a slow disk", samples: times(20, { ...alone, served: 5 }), want: [] },
    {
      name: "soon when they wait for a slow disk",
      samples: times(4, { ...queued, served: 5 }),
      want: [1, 3],
    },
  ];
  it.each(cases)("$name", ({ samples, want }) => expect(reportedAt(samples)).toEqual(want));
});
