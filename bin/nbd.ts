import { type Command, InvalidArgumentError } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { formatWords } from "../src/daemon/facts.ts";
import { parseAddress } from "../src/daemon/metrics-address.ts";
import type { MountFlags } from "../src/daemon/options-from-flags.ts";
import { placesIn } from "../src/daemon/places.ts";
import type { DiskAddress, DiskToServe } from "../src/daemon/serve-disks.ts";
import { openLog } from "../src/log/log.ts";
import { addDiskForm, type DiskFormFlags, diskFormOf } from "./disk-form.ts";
import { type Given, givenOptions } from "./given.ts";
import { withExamples } from "./help.ts";
import { addOptionsNamed } from "./mount-options.ts";
import { integer } from "./parse-values.ts";
import { sayLine } from "./say.ts";
import type { ImageSource } from "./sources.ts";
import { salt, verityLine } from "./verity-words.ts";

interface NbdFlags
  extends ImageSource,
    DiskFormFlags,
    Pick<MountFlags, "blob" | "logLevel" | "logFile" | "logFormat"> {
  readonly socket?: string;
  readonly listen?: DiskAddress;
  readonly bootstrap?: string;
  readonly localfsDir?: string;
  readonly threads?: number;
  readonly export: readonly [name: string, path: string][];
  readonly verity: boolean;
  readonly salt?: Uint8Array;
  readonly metricsAddress?: MountFlags["metricsAddress"];
}

const DEVICE = /^\/dev\/nbd(\d{1,5})$/;
/** What the kernel asks at a time of one disk: threads of nydusd, which has as many when it is not told. */
const CONNECTIONS = 4;
const MAX_CONNECTIONS = 64;
/** The first descriptor that systemd hands over. */
const FIRST_INHERITED = 3;
const LOOPBACK = new Set(["localhost", "::1"]);

export function addNbd(program: Command): void {
  const command = program
    .command("nbd <image...>")
    .description(
      "serve an image as a block device to NBD clients, virtual machines above all, without writing it; IMAGE is what " +
        "mount takes. With --bootstrap the argument is a device of the kernel, /dev/nbdN, that is to show it",
    )
    .option(
      "-B, --bootstrap <image>",
      "what the kernel's device shows, until this process ends; one that is in use then waits a minute for the next process",
    )
    .option("--threads <n>", "connections of the kernel's device", integer(1, MAX_CONNECTIONS))
    .option("--socket <path>", "unix socket to listen at; systemd may hand one over instead")
    .option("--listen <[HOST:]PORT>", "address to listen at, of this machine", listenAddress)
    .option(
      "--export <NAME=IMAGE>",
      "another image, under a name, may be given several times",
      collectExport,
      [],
    )
    .option("--verity", "serve the hash tree of dm-verity behind the disk, and print what opens it", false)
    .option("--salt <hex>", "of the hash tree; none when absent", salt);
  addDiskForm(command);
  addOptionsNamed(command, ["--localfs-dir", "--blob-dir", "--blob", "--cache-dir", "--ref", "--platform"]);
  addOptionsNamed(command, ["--metrics-address", "--log-level", "--log-file", "--log-format"]);
  withExamples(
    command,
    "nydusd-ts nbd image.boot --blob-dir layers --socket /run/image.sock",
    "nydusd-ts nbd base.tar app.tar.gz --listen 10809",
    "nydusd-ts nbd saved.tar --ref app:1.0 --single-device --socket app.sock",
    "nydusd-ts nbd /dev/nbd0 -B image.boot -D layers",
  );
  command.action((paths: string[], flags: NbdFlags) => serve(paths, flags, givenOptions(command)));
}

async function serve(args: readonly string[], flags: NbdFlags, given: Given): Promise<void> {
  if (flags.salt !== undefined && !flags.verity)
    throw new UsageError("--salt is of a hash tree: want --verity");
  const address = addressOf(args, flags);
  const paths = flags.bootstrap === undefined ? args : [flags.bootstrap];
  const { serveDisks } = await import("../src/daemon/serve-disks.ts");
  // With other images they may be for those.
  const isAlone = flags.export.length === 0;
  const blobOptions = ["--blob", ...(isAlone ? ["--localfs-dir", "--blob-dir"] : [])].filter((name) =>
    given.has(name),
  );
  const disks = [await diskOf("", paths, flags, blobOptions)];
  for (const [name, path] of flags.export) disks.push(await diskOf(name, [path], flags, []));
  const log = openLog(flags.logLevel, flags);
  await serveDisks(disks, address, log, flags.metricsAddress, (facts, port, metrics) => {
    for (const { verity } of facts) if (verity !== undefined) sayLine(verityLine(verity, false));
    const words = {
      image: disks[0]?.bootstrap,
      socket: address.kind === "socket" ? address.path : undefined,
      device: address.kind === "device" ? address.path : undefined,
      address: address.kind === "tcp" ? `${address.host}:${port}` : undefined,
      metrics,
      ...{ exports: facts.length, size: facts[0]?.size, ms: Math.round(performance.now()) },
    };
    sayLine(`ready ${formatWords(words)}`);
  });
  log.close();
}

async function diskOf(
  name: string,
  paths: readonly string[],
  flags: NbdFlags,
  blobOptions: readonly string[],
): Promise<DiskToServe> {
  const { prepareSources } = await import("./sources.ts");
  const image = await prepareSources(paths, flags, blobOptions);
  await image.makeDurable(false);
  const given = {
    dirs: [
      ...(flags.localfsDir === undefined ? [] : [flags.localfsDir]),
      ...flags.blobDir,
      ...image.blobDirs,
    ],
    files: new Map([...(blobOptions.includes("--blob") ? flags.blob : []), ...image.blobs]),
    known: image.known,
  };
  const places = placesIn(image.bootstrap, undefined, given);
  const salt = flags.verity ? (flags.salt ?? new Uint8Array(0)) : undefined;
  return {
    name,
    bootstrap: image.bootstrap,
    places,
    form: diskFormOf(flags),
    salt,
    opened: image.close,
  };
}

/** @throws UsageError unless there is exactly one */
function addressOf(args: readonly string[], { socket, listen, bootstrap, ...flags }: NbdFlags): DiskAddress {
  if (bootstrap === undefined && args.some((path) => DEVICE.test(path)))
    throw new UsageError("a device of the kernel shows one image: want /dev/nbdN --bootstrap IMAGE");
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  const isInherited = Number(LISTEN_FDS) > 0 && Number(LISTEN_PID) === process.pid;
  const all: DiskAddress[] = [
    ...(bootstrap === undefined ? [] : [deviceOf(args, flags)]),
    ...(socket === undefined ? [] : [{ kind: "socket" as const, path: socket }]),
    ...(listen === undefined ? [] : [listen]),
    ...(isInherited ? [{ kind: "inherited" as const, fd: FIRST_INHERITED }] : []),
  ];
  const [address] = all;
  if (address === undefined || all.length > 1)
    throw new UsageError(
      all.length > 1
        ? "want one address: --socket, --listen, --bootstrap with a device, or a socket of systemd"
        : "want --socket or --listen",
    );
  if (flags.threads !== undefined && bootstrap === undefined)
    throw new UsageError("--threads is of a device of the kernel: want /dev/nbdN --bootstrap IMAGE");
  return address;
}

function deviceOf(args: readonly string[], flags: Pick<NbdFlags, "threads" | "export">): DiskAddress {
  const [path = ""] = args;
  const [, index] = DEVICE.exec(path) ?? [];
  if (index === undefined || args.length > 1)
    throw new UsageError(`${args.join(" ")}: with --bootstrap want one device, /dev/nbdN`);
  if (flags.export.length > 0)
    throw new UsageError("--export is of a server with names: a device shows one disk");
  return { kind: "device", path, index: Number(index), connections: flags.threads ?? CONNECTIONS };
}

/** There is no TLS: what is read is nobody else's. */
function listenAddress(value: string): DiskAddress {
  const parsed = parseAddress(value);
  if (parsed === undefined) throw new InvalidArgumentError("want [HOST:]PORT.");
  if (!LOOPBACK.has(parsed.host) && !parsed.host.startsWith("127."))
    throw new InvalidArgumentError(
      `${parsed.host} is not this machine alone, and there is no TLS here: want 127.0.0.1, or --socket behind ssh -L or stunnel.`,
    );
  return { kind: "tcp", ...parsed };
}

function collectExport(value: string, before: readonly [string, string][]): [string, string][] {
  const cut = value.indexOf("=");
  const name = value.slice(0, cut);
  if (cut < 1 || cut === value.length - 1 || Buffer.byteLength(name) > 4096)
    throw new InvalidArgumentError("want NAME=IMAGE.");
  if (before.some(([other]) => other === name)) throw new InvalidArgumentError(`${name} is there twice.`);
  return [...before, [name, value.slice(cut + 1)]];
}
