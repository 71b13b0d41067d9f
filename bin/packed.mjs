import { join } from "node:path";

/** The executable with all in it. */
export const packed = (root, version) => join(root, "dist", `nydusd-ts-${version}-linux-${process.arch}`);
