import { OperationalError } from "../bytes/errors.ts";

/** A change of the images that a process which goes on with the session would not know: it is refused, and nothing changes. */
export class NotWrittenDown extends OperationalError {}
