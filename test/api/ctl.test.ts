import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ctl, startManaged } from "../support/api.ts";
import { ask, workDir } from "../support/daemon.ts";
import { startEmpty, versions } from "../support/submounts.ts";
import { words } from "../support/words.ts";

const text = (stdout: string) => ({ status: 0, stdout, stderr: "" });
const matches = (pattern: RegExp) => text(expect.stringMatching(pattern) as unknown as string);

it("nydusctl-ts shows all there is", async () => {
  const daemon = await startManaged("04-large", "--id", "me");
  await ask('cat "$1/m1p1" >/dev/null', daemon.mountpoint);
  const run = (...line: Parameters<typeof words>) => ctl(["-S", daemon.sock, ...words(...line)]);
  expect(await run`info`).toEqual(
    matches(
      /^\nVersion: {16}"0.*"\nStatus: {17}"RUNNING"\nProfile: {16}"release"\nCommit: {17}".*"\nId: {21}"me"\nInstances:\n\tInstance Mountpoint: {2}\/\n\tType: {2}Rafs\n\tMounted Time: {2}\d.*\n\tMode: {2}direct\n/,
    ),
  );
  expect(await run`metrics fsstats`).toEqual(
    matches(
      /^\nRead Latency: {3}<=200us <=1ms .*>2s\nReads Count: [\s\S]*\nRead Data: 1048577Bytes \(1MB\)\n\nFOP Counters:\nGetattr\(\d+\) .*Listxattr\(\d+\)\nOpendir.*BatchForget\(0\)\n$/,
    ),
  );
  expect(await run`metrics backend`).toEqual(
    matches(/^\nBackend Type: {7}"localfs"\nRead Amount: {8}1048577 Bytes/),
  );
  expect(await run`metrics cache`).toEqual(matches(/\nFiles: {22}\["layer.tar"\]\n/));
  expect(await run`--raw info`).toEqual(matches(/^\{"version":.*\}\n$/));
  expect(await run`watch -n 2 -I 1`).toEqual(
    matches(/^TIME +READS\/S .*\n(\d\d:\d\d:\d\d( +\d[\d.]*){6}\n){2}$/),
  );
  expect(await run`watch -n 1 --json`).toEqual(matches(/^\{"files_account_enabled":.*\}\n$/));
  expect(await run`events`).toEqual(text("nothing went wrong\n"));
  expect(await run`events --json`).toEqual(matches(/"total_errors": 0/));
  expect(await run`files`).toEqual(matches(/^no file was asked about/));
  expect(await run`files --json`).toEqual(text("{}\n"));
  expect(await run`pattern --json`).toEqual(text("[]\n"));
  expect(await run`inflight`).toEqual(text("no request is being answered\n"));
  expect(await run`inflight --json`).toEqual(text("[]\n"));
  expect(await run`set log-level trace`).toEqual(text(""));
  const failed = (stderr: string) => ({ status: 1, stdout: "", stderr });
  expect(await run`set log-level foo`).toEqual(
    failed(
      `Error: ${daemon.sock}: no log level "foo": want error, warn, info, debug, trace or off (PUT v1/daemon: 500 Configure(ResponsePayloadType))\n`,
    ),
  );
  expect(await run`start`).toEqual(
    failed(
      `Error: ${daemon.sock}: the daemon is RUNNING, start wants READY (PUT v1/daemon/start: 400 Configure(DaemonAbnormal(UnexpectedEvent("Start"))))\n`,
    ),
  );
  expect(await run`exit`).toEqual(text(""));
  expect(await daemon.exited).toBe(0);
});

it("nydusctl-ts mounts, remounts and unmounts", async () => {
  const image = await versions("echo one >f; echo more >g", "echo two >f");
  const { sock, mountpoint } = await startEmpty();
  const run = (...line: Parameters<typeof words>) => ctl(["-S", sock, ...words(...line)]);
  const config = join(workDir(), "config.json");
  const localfs = { dir: image.dir };
  writeFileSync(config, JSON.stringify({ version: 2, backend: { type: "localfs", localfs } }));
  expect(await run`mount -m /a -t rafs -c ${config} -s ${image.boots[0]} --prefetch-files /f /g`).toEqual(
    text(""),
  );
  expect(await run`mount -m /b -s ${image.boots[0]}`).toEqual(text("")); // tars beside the bootstrap
  expect(await ask('cat "$1/a/f" "$1/b/g"', mountpoint)).toBe("one\nmore\n");
  expect(await run`--id /a metrics cache`).toEqual(matches(/Prefetch Requests: +[12]\n/));
  expect(await run`--id /a metrics fsstats`).toEqual(matches(/Read Data: 4Bytes/));
  expect(await run`--id /b metrics fsstats`).toEqual(matches(/Read Data: 5Bytes/));
  expect(await run`metrics fsstats`).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      "which image is not said; there are: /a, /b (GET v1/metrics: 404 GlobalMetrics(",
    ),
  });
  expect(await run`remount -m /a -c ${config} -s ${image.boots[1]}`).toEqual(text(""));
  expect(await ask('cat "$1/a/f" "$1/a/g"', mountpoint)).toBe("two\nmore\n");
  expect(await run`umount /a`).toEqual(text(""));
  expect(await ask('ls "$1"', mountpoint)).toBe("b\n");
  expect(await run`umount`).toMatchObject({ status: 2 });
  expect(await run`umount -m /a`).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      "/a: no image is mounted there (DELETE v1/mount?mountpoint=%2Fa: 500 Mount(",
    ),
  });
  expect(await run`mount -m /b -s ${image.boots[0]}`).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("/b: an image is mounted there already: remount replaces it (POST "),
  });
  const elsewhere = join(workDir(), "lonely.boot"); // without its tars
  copyFileSync(image.boots[0] ?? "", elsewhere);
  expect(await run`mount -m /c -s ${elsewhere}`).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/wanted: \d+ bytes\); a configuration says where the tars are \(POST /),
  });
  expect(await run`mount -m /c -s ${image.boots[0]} -c /none`).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("config /none"),
  });
  expect(await run`mount -m /c`).toMatchObject({ status: 2 });
});

it("nydusctl-ts says what is wrong", async () => {
  const none = join(workDir(), "none");
  expect(await ctl(["-S", none, "info"])).toMatchObject({
    status: 1,
    stderr: `Error: ${none}: no such socket\n`,
  });
  expect(await ctl(["info"])).toMatchObject({ status: 2, stderr: expect.stringContaining("--sock") });
  expect(await ctl([])).toMatchObject({ status: 2, stderr: expect.stringContaining("Usage: nydusctl-ts") });
  const usage = async (...line: Parameters<typeof words>) => ctl(["-S", none, ...words(...line)]);
  const ignored = (why: string) => ({ status: 2, stdout: "", stderr: `Error: ${why}\n` });
  expect(await usage`--id /a exit`).toEqual(
    ignored("--id has no meaning with exit: it asks about no single image"),
  );
  expect(await usage`--raw umount /a`).toEqual(
    ignored("--raw has no meaning with umount: it shows no answer"),
  );
  expect(await usage`events --id /a`).toEqual(
    ignored("--id has no meaning with events: it asks about no single image"),
  );
  expect(await ctl(["-S", none, "frob"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("frob"),
  });
  expect(await ctl(["-S", none, "metrics", "fsstats", "-I", "0"])).toMatchObject({ status: 2 });
});
