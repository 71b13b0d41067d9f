import { join } from "node:path";
import { cacheDirectory } from "../bytes/user-directories.ts";
import type { Verdicts } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import { verdictsIn } from "../verdict/verdicts.ts";

/** What this user's daemons found when they checked images. */
export const ownVerdicts = (log: Logger): Verdicts | undefined =>
  verdictsIn(join(cacheDirectory(), "verdicts"), (message) => log.debug(message));
