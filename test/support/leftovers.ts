import { expect } from "vitest";
import { until } from "./daemon.ts";
import { type Resources, resourcesOf } from "./submounts.ts";

/**
 * What a daemon may have more of afterwards. A worker may have joined and stays, a pusher leaves after 5 s, and each has
 * descriptors of its own: epoll, two of a pipe, eventfd, and the tars that it reads.
 */
const MOST_MORE: Resources = { threads: 2, fds: 12, rssMb: 48 };

/**
 * Waits until a process is back at its starting numbers, give or take.
 *
 * @param slack instead of `MOST_MORE`
 */
export async function isBack(
  pid: number,
  before: Resources,
  slack: Partial<Resources> = {},
): Promise<Resources> {
  const most = { ...MOST_MORE, ...slack };
  let now = resourcesOf(pid);
  const isLess = (what: keyof Resources) => now[what] <= before[what] + most[what];
  await until(
    () => {
      now = resourcesOf(pid);
      return isLess("fds") && isLess("threads");
    },
    `no more than ${JSON.stringify(most)} above ${JSON.stringify(before)}, now ${JSON.stringify(now)}`,
  );
  expect(now.rssMb, `resident MiB, ${before.rssMb} before`).toBeLessThanOrEqual(before.rssMb + most.rssMb);
  return now;
}
