import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { codeOf } from "../../src/bytes/errors.ts";
import { build, merge } from "../mkfs/support.ts";
import { ask, launch, sh, start, until } from "../support/daemon.ts";
import { forget } from "../support/forget.ts";
import { scratchDir } from "../support/image.ts";
import { isBack } from "../support/leftovers.ts";
import { change, must, orderOf, resourcesOf, startEmpty, versions } from "../support/submounts.ts";
import { TAR } from "../support/tar-image.ts";

const FEW = 64;
const LAYERS = 100;
const MOUNTS = 100;

it(`RLIMIT_NOFILE ${FEW}: an image of ${LAYERS} tars is served whole, to several at once`, async () => {
  const dir = scratchDir();
  sh(
    `cd "$D"; for i in $(seq ${LAYERS}); do mkdir -p t/d$i; head -c 70000 /dev/urandom >t/d$i/f; mkdir -p all/d$i; cp t/d$i/f all/d$i/
       ${TAR} -C t -cf l$i.tar d$i; rm -r t; done`,
    { D: dir },
  );
  const boots: string[] = [];
  const blobs: string[] = [];
  for (let i = 1; i <= LAYERS; i++) {
    const bootstrap = join(dir, `l${i}.boot`);
    await build(join(dir, `l${i}.tar`), { bootstrap, blobId: `layer${i}` });
    boots.push(bootstrap);
    blobs.push("--blob", `layer${i}=${join(dir, `l${i}.tar`)}`);
  }
  const bootstrap = join(dir, "all.boot");
  merge(boots, { bootstrap });
  const daemon = await start(["-B", bootstrap, ...blobs, "--rlimit-nofile", `${FEW}`]);
  const read = 'for i in 1 2 3 4; do diff -r "$1" "$2" & done; wait';
  expect(await ask(read, join(dir, "all"), daemon.mountpoint)).toBe("");
  const first = resourcesOf(daemon.pid);
  expect(first.fds).toBeLessThanOrEqual(FEW);
  await forget(daemon.mountpoint);
  expect(await ask(read, join(dir, "all"), daemon.mountpoint)).toBe("");
  await isBack(daemon.pid, first); // another worker may keep four tars of its own open
  expect(daemon.output()).not.toMatch(/WARN|ERROR/);
  expect(await daemon.stop()).toBe(0);
});

it(`RLIMIT_NOFILE ${FEW}: while silent connections hold every descriptor, ${MOUNTS} mounts by the API are closed unanswered; then all are possible`, async () => {
  const image = await versions("seq 1000 >f");
  const { sock, mountpoint, pid, stop, output } = await startEmpty("--rlimit-nofile", `${FEW}`);
  const before = resourcesOf(pid);
  const orders = Array.from({ length: MOUNTS }, (_, i) => {
    const boot = join(image.dir, `copy${i}.boot`);
    copyFileSync(image.boots[0], boot);
    return orderOf(boot, image.dir);
  });
  const crowd = launch("perl", [
    "-MIO::Socket::UNIX",
    "-e",
    `my @s = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) } 1..80; sleep 600`,
    sock,
  ]);
  await until(() => resourcesOf(pid).fds >= FEW, "no descriptor to be left");
  const seen = await Promise.all(
    orders.map((order, i) => change(sock, `POST /${i}`, order).then(({ status }) => status, codeOf)),
  );
  console.log(JSON.stringify({ before, seen: [...new Set(seen)] }));
  expect(seen.filter((each) => each !== "ECONNRESET" && each !== "EPIPE")).toEqual([]);
  crowd.kill("SIGKILL");
  await until(() => resourcesOf(pid).fds < FEW - 10, "descriptors to be free again");
  for (const [i, order] of orders.entries()) await must(sock, `POST /${i}`, order);
  expect(await ask('cat "$1"/*/f | wc -l', mountpoint)).toBe(`${1000 * MOUNTS}\n`);
  for (let i = 0; i < MOUNTS; i++) await must(sock, `DELETE /${i}`);
  await isBack(pid, before);
  expect(output()).not.toMatch(/ERROR/);
  expect(await stop()).toBe(0);
});
