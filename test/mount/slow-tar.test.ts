import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { type FilesStats, FOPS, type FsStats } from "../../src/api/shapes.ts";
import { get } from "../support/api.ts";
import { ask, launch, shell, until, workDir } from "../support/daemon.ts";
import { metric, reach } from "../support/metrics.ts";
import { perl } from "../support/perl.ts";
import { SLOW_BYTES, type SlowImage, startSlow } from "../support/slow-image.ts";

const READ = FOPS.indexOf("read");
const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

/** Compares files FIRST…LAST of the slow tar with their originals, each by a process of its own; says what differs. */
const compare = ({ daemon, source }: SlowImage, first: number, last: number) =>
  shell(
    'for i in $(seq "$3" "$4"); do cmp "$1/s/$i" "$2/s/$i" & done; wait',
    daemon.mountpoint,
    source,
    String(first),
    String(last),
  );
const RIGHT = { status: 0, stdout: "", stderr: "" };

/** Resolves when that many reads of the slow tar hang. */
const hang = ({ fault }: SlowImage, count: number) =>
  reach("reads that hang", fault.held, (held) => held >= count);

/** What everybody else does meanwhile: names that nobody asked for yet, a walk, every byte of the other tar. */
const others = ({ daemon, source }: SlowImage) =>
  ask(
    `for i in $(seq 100); do [ ! -e "$1/f/none$i-$$" ]; done
     list() { cd "$1"; find . -type f -printf '%p %s %m\n' | sort; }; diff <(list "$1") <(list "$2")
     diff -r "$1/f" "$2/f"; dd if="$1/f/big" iflag=direct bs=1M status=none | cmp - "$2/f/big"`,
    daemon.mountpoint,
    source,
  );

it("50 reads that hang delay no other request, and leave nothing behind", async () => {
  const traced = join(workDir(), "trace");
  const flags = ["--metrics-address", "0", "--file-stats", "--trace", traced];
  const image = await startSlow(50, "--fuse-threads", "2", ...flags);
  const { daemon, sock } = image;
  await others(image);
  const alone = () =>
    reach(
      "workers",
      () => metric(daemon, "tarfs_workers"),
      (workers) => workers <= 2,
    );
  await alone();
  const before = image.held();
  await image.slow({ fault: "block" });
  const readers = compare(image, 1, 50);
  await hang(image, 50);
  expect(await others(image)).toBe("");
  expect(await metric(daemon, "tarfs_workers")).toBeGreaterThan(50);
  const during = image.held();
  await image.slow({ fault: "pass" });
  expect(await readers).toEqual(RIGHT);
  await alone();
  const after = image.held();
  process.stdout.write(`${JSON.stringify({ before, during, after })}\n`);
  expect(after.threads).toBeLessThanOrEqual(before.threads + 2); // a second worker, and the pusher or a pool's thread
  expect(after.fds).toBeLessThanOrEqual(before.fds + 10);
  // What Node 20 keeps of 60 threads that were there at once is 50 MB, however often that happens.
  expect(after.rssMb - before.rssMb).toBeLessThan((during.rssMb - before.rssMb) / 2);

  // Nothing is lost that was counted by workers that are gone.
  const stats = await get<FsStats>(sock, "/api/v1/metrics");
  const files = Object.values(await get<FilesStats>(sock, "/api/v1/metrics/files"));
  expect(files.filter(({ data_read }) => data_read === SLOW_BYTES).length).toBe(50);
  expect(sum(files.map(({ data_read }) => data_read))).toBe(stats.data_read);
  expect(sum(files.map(({ fop_hits }) => fop_hits[READ]))).toBe(stats.fop_hits[READ]);
  expect(await daemon.stop()).toBe(0);
  expect(new Set(readFileSync(traced, "utf8").match(/^\/s\/\d+(?=\t)/gm)).size).toBe(50);
});

it("overflow workers join each time the source hangs, and all reads are right", async () => {
  const image = await startSlow(24, "--fuse-threads", "1");
  for (const first of [1, 13]) {
    process.kill(image.fault.pid, "SIGSTOP");
    const readers = compare(image, first, first + 11);
    await until(() => image.held().threads > 20, "other workers");
    expect(await others(image)).toBe("");
    process.kill(image.fault.pid, "SIGCONT");
    expect(await readers).toEqual(RIGHT);
    await until(() => image.held().threads < 16, "their end");
  }
  expect(await image.daemon.stop()).toBe(0);
});

/** Reads the first bytes of a file, past the page cache; says what came. A signal that is caught changes nothing. */
const DIRECT = `
  my ($path, $signals) = @ARGV; $SIG{USR1} = sub { };
  sysopen(my $file, $path, ${perl.nr(0x4000, 0x10000)}) or die $!;
  $| = 1; print "reads\\n"; my $n = sysread($file, my $bytes, 65536);
  print defined $n ? $n : $!, "\\n"`;

it("a killed reader of a tar that hangs ends at once, others wait on", async () => {
  const image = await startSlow(3, "--fuse-threads", "2");
  const { daemon, slow } = image;
  const at = (i: number) => join(daemon.mountpoint, "s", String(i));
  await slow({ fault: "block" });
  const patient = launch("perl", ["-e", DIRECT, at(1)]);
  let said = "";
  patient.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  const killed = [launch("perl", ["-e", DIRECT, at(2)]), launch("cat", [at(3)])];
  await hang(image, 3);
  patient.kill("SIGUSR1");
  for (const child of killed) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone; // without help it is never
  }
  expect(await others(image)).toBe("");
  expect(said).toBe("reads\n");
  await slow({ fault: "pass" });
  await until(() => said === "reads\n65536\n", "the bytes of a reader that a signal came to");
  expect(await compare(image, 1, 3)).toEqual(RIGHT);
  expect(await daemon.stop()).toBe(0);
});

it("when no overflow worker can be started, one warning is logged and readers wait", async () => {
  const image = await startSlow(6, "--fuse-threads", "1");
  const { daemon, slow } = image;
  const setLimit = (files: number) =>
    ask('prlimit --pid "$1" --nofile="$2":', String(daemon.pid), String(files));
  await setLimit(image.held().fds);
  await slow({ fault: "block" });
  const readers = compare(image, 1, 6);
  await until(() => daemon.output().includes("no other worker"), "the warning");
  await sleep(1_500); // it is tried again once a second, and a try that fails shows nowhere
  await slow({ fault: "pass" });
  expect(await readers).toEqual(RIGHT);
  await setLimit(1024);
  expect(await others(image)).toBe("");
  expect(await daemon.stop()).toBe(0);
  expect(daemon.output().match(/WARN no other worker can be started: .*EMFILE/g)?.length).toBe(1);
});

it("an idle daemon sleeps: its main thread is woken at most ten times in three seconds", async () => {
  const image = await startSlow(1);
  await others(image);
  const openFiles = () =>
    readdirSync(`/proc/${image.daemon.pid}/fd`).map((fd) =>
      readlinkSync(`/proc/${image.daemon.pid}/fd/${fd}`),
    );
  const sleeps = () =>
    Number(
      /^voluntary_ctxt_switches:\s+(\d+)/m.exec(
        readFileSync(`/proc/${image.daemon.pid}/status`, "utf8"),
      )?.[1],
    );
  // What keeps CPUs awake while requests come in numbers ends by itself.
  await until(() => !openFiles().includes("/dev/cpu_dma_latency"), "the CPUs to be let go");
  const wakes = async () => {
    const before = sleeps();
    await sleep(3_000);
    return sleeps() - before;
  };
  await reach("wakes in three seconds", wakes, (count) => count <= 10); // one that looks ten times a second has 30
  expect(await image.daemon.stop()).toBe(0);
});
