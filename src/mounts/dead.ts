import { codeOf } from "../bytes/errors.ts";

/** Whether a call on a mount failed because its FUSE server is gone: what the kernel answers in its place. */
export const isDeadMount = (error: unknown): boolean =>
  codeOf(error) === "ENOTCONN" || codeOf(error) === "ECONNABORTED";
