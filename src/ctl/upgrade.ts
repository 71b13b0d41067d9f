import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonInfo } from "../api/shapes.ts";
import { OperationalError } from "../bytes/errors.ts";
import { shown } from "../bytes/escape-control-chars.ts";
import type { Client } from "./client.ts";

/** For the new version to be ready: a little more than the daemon gives it. */
const READY_MS = 15_000;
/** For it to answer that it serves. */
const ANSWER_MS = 10_000;
const LOOK_MS = 50;

/**
 * Lets the version that is installed now take over, and waits until it answers.
 *
 * @param ms for it to say that it serves
 * @returns one line that says which one that is
 * @throws OperationalError when it was not ready in time, and nothing has changed, or does not answer
 */
export async function upgrade(client: Client, ms = ANSWER_MS): Promise<string> {
  await client.put("v1/daemon/upgrade", undefined, READY_MS);
  const begin = performance.now();
  for (;;) {
    let problem: unknown;
    try {
      const { version, state } = (await client.get("v1/daemon")) as DaemonInfo;
      if (state === "RUNNING")
        return `version ${shown(`${version.package_ver} (${version.git_commit})`)} goes on\n`;
    } catch (error) {
      problem = error;
    }
    if (performance.now() - begin > ms)
      throw new OperationalError("the new version serves, but its API does not say so", { cause: problem });
    await sleep(LOOK_MS);
  }
}
