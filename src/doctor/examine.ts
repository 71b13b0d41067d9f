import { examineErofs } from "./erofs.ts";
import type { Finding } from "./finding.ts";
import { examineFuse } from "./fuse.ts";
import {
  examineContainerd,
  examineDecompressors,
  examineKernel,
  examineOverlayfs,
  examineUserNamespaces,
} from "./host.ts";

/**
 * Looks at all of the host that matters here. Nothing is changed, and every caller is answered: root, a user, or root of
 * a user namespace.
 *
 * @returns the findings, and whether an image can be mounted at all
 */
export async function examineHost(): Promise<{ findings: readonly Finding[]; hasDriver: boolean }> {
  const drivers = [...(await examineFuse()), ...(await examineErofs())];
  const findings = [
    examineKernel(),
    ...drivers,
    examineUserNamespaces(),
    examineOverlayfs(),
    examineContainerd(),
    ...examineDecompressors(),
  ];
  return {
    findings,
    hasDriver: drivers.some(({ name, state }) => name.startsWith("driver-") && state === "ok"),
  };
}
