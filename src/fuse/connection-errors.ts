import { codeOf } from "../bytes/errors.ts";

/** How a connection is over; "never mounted": the descriptor has none, which is a mistake of the caller's. */
export type ConnectionEnd = "unmounted" | "aborted" | "never mounted";

/**
 * Errors of a read or write of /dev/fuse that say that the connection is gone, for all that use the device. Source:
 * fs/fuse/dev.c, and what Linux 6.18 does (test/fuse/connection-errors). A write of a reply or of an invalidation never
 * says so: its answer is ENOENT then, as for a caller or a node that is gone while the connection is there.
 */
const ENDS: ReadonlyMap<string, ConnectionEnd> = new Map([
  ["ENODEV", "unmounted"], //       fuse_dev_do_read; also an abort when ABORT_ERROR was not agreed on
  ["ENOTCONN", "unmounted"], //     fuse_get_req, for NOTIFY_RETRIEVE, which makes a request
  ["ECONNABORTED", "aborted"], //   fuse_dev_do_read
  ["EPERM", "never mounted"], //    fuse_get_dev
]);

/** @returns undefined when the connection is there still, as far as the error tells */
export const connectionEnd = (error: unknown): ConnectionEnd | undefined => ENDS.get(codeOf(error));

/**
 * Whether the error is of one request alone, so that the next one can be read: a signal came (EINTR), nothing is there
 * (EAGAIN), the request was aborted while it was copied, or its caller was killed before the reply (ENOENT).
 */
export const isTransient = (error: unknown): boolean => TRANSIENT.has(codeOf(error));

const TRANSIENT: ReadonlySet<string> = new Set(["EINTR", "EAGAIN", "ENOENT"]);
