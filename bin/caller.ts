import { Caller } from "../src/daemon/caller.ts";

/** The command that waits for this process; undefined: it is the one that was called. */
export const caller = Caller.find();
