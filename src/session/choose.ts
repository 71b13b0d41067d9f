import { OperationalError } from "../bytes/errors.ts";
import { deviceTrouble } from "../fuse/device.ts";
import type { FailoverPolicy } from "../fuse/lost-requests.ts";

export type TransportName = "direct" | "fuse-native";
export const TRANSPORTS = ["auto", "direct", "fuse-native"] as const;

export const FAILOVER_POLICIES: readonly FailoverPolicy[] = ["resend", "flush", "none"];

/**
 * Chooses how to talk to the kernel, and says why.
 *
 * @param wanted what the user asked for
 * @param uid effective user id: mounting by itself is for root, of the host or of a user namespace
 * @throws OperationalError when there is no FUSE device at all
 */
export function chooseTransport(
  wanted: (typeof TRANSPORTS)[number],
  uid: number,
): { readonly name: TransportName; readonly reason: string } {
  const trouble = deviceTrouble();
  if (trouble !== undefined) throw new OperationalError(trouble);
  const name = transportFor(wanted, uid);
  if (wanted !== "auto") return { name, reason: "asked for" };
  return name === "direct"
    ? { name, reason: "this process may mount /dev/fuse itself" }
    : { name, reason: `user ${uid} may not mount; fusermount does it` };
}

/** What `chooseTransport` chooses where there is a FUSE device. */
export const transportFor = (wanted: (typeof TRANSPORTS)[number], uid: number): TransportName =>
  wanted !== "auto" ? wanted : uid === 0 ? "direct" : "fuse-native";
