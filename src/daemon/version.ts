import { readFileSync } from "node:fs";

/** Facts about this build; `bin/setup.mjs` writes them beside the bundles. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  readonly time: string;
}

/** The block that nydusd prints for --version: nydus-snapshotter reads `Git Commit` out of it. */
export function versionText(): string {
  const info = buildInfo();
  return [
    `Version: \t${info.version}`,
    `Git Commit: \t${info.commit}`,
    `Build Time: \t${info.time}`,
    "Profile: \trelease",
    `Node: \t\t${process.version}`,
  ].join("\n");
}

export function buildInfo(): BuildInfo {
  try {
    return JSON.parse(readFileSync(new URL("./build.json", import.meta.url), "utf8")) as BuildInfo;
  } catch {
    return { version: "unknown", commit: "unknown", time: "unknown" };
  }
}
