import type { Report } from "../../src/mkfs/report.ts";

/** For work that nobody watches. */
export const NO_REPORT: Report = { start: () => {}, ready: () => {}, stop: () => {} };
