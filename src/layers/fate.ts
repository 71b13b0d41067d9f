/** What became of a version of a name. */
export const FATES = ["seen", "overwritten", "attributes", "whiteout", "opaque", "replaced"] as const;
export type Fate = (typeof FATES)[number];
