import type { BuildResult } from "./bootstrap.ts";

/** @param what was done, as nydus-image says it */
export function builtText({ bootstrap, blobs, blobSize }: BuildResult, what: string): string {
  const ids = JSON.stringify(blobs).replaceAll('","', '", "');
  return `successfully ${what}: \nmeta blob path: ${bootstrap}\ndata blob size: 0x${blobSize.toString(16)}\ndata blobs: ${ids}\n`;
}

/** What nydus-image writes for `--output-json`. */
export const builtRecord = ({ bootstrap, blobs }: BuildResult, version: string): Record<string, unknown> => ({
  version,
  bootstrap,
  blobs,
  external_bootstrap: "",
  external_blobs: [],
  trace: {},
  fs_version: "6",
  compressor: "none",
});
