import { expect, it } from "vitest";
import { ask } from "../support/daemon.ts";
import { must, resourcesOf, startEmpty, versions } from "../support/submounts.ts";

it("500 images are served by as many threads as one", async () => {
  const image = await versions("echo 1 >f; seq 1000 >g");
  const daemon = await startEmpty();
  const { sock, mountpoint, pid } = daemon;
  await must(sock, "POST /0", image);
  const one = resourcesOf(pid);
  for (let i = 1; i < 500; i++) await must(sock, `POST /${i}`, image);
  expect(
    await ask(
      'ls "$1" | wc -l; cat "$1"/*/f | sort | uniq -c | xargs; sha256sum "$1"/*/g | cut -c1-64 | uniq -c | wc -l',
      mountpoint,
    ),
  ).toBe("500\n500 1\n1\n");
  const all = resourcesOf(pid);
  expect(all.threads).toBeLessThanOrEqual(one.threads + 2); // a worker and a pusher may have joined
  console.log(JSON.stringify({ one, all }));
  expect(await daemon.stop()).toBe(0);
});
