import { expect, it } from "vitest";
import { elementAt } from "../../src/bytes/element-at.ts";

it.each([
  { all: ["a", "b"], i: 1, want: "b" },
  { all: [0], i: 0, want: 0 },
])("elementAt gives $want", ({ all, i, want }) => expect(elementAt<unknown>(all, i)).toBe(want));

it.each([-1, 2, 0.5])("elementAt refuses %d of two", (i) =>
  expect(() => elementAt(["a", "b"], i)).toThrow(new RangeError(`no element ${i} of 2`)),
);
