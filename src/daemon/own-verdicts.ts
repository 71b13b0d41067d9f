import { join } from "node:path";
import { cacheDirectory } from "../bytes/user-directories.ts";
import type { Verdicts } from "../fs/open-image.ts";
import type { Logger } from "../log/log.ts";
import { KeptVerdicts } from "../verdict/verdicts.ts";
import { buildInfo } from "./version.ts";

/** What this user's daemons found when they checked images; undefined when it is not known which code this is. */
export function ownVerdicts(log: Logger): Verdicts | undefined {
  const { checker } = buildInfo();
  if (checker === undefined) return undefined;
  return new KeptVerdicts(join(cacheDirectory(), "verdicts"), checker, (message) => log.debug(message));
}
