import { CACHE_DIR, MAX_LAYER_SIZE, PLATFORM, REF } from "./source-options.ts";
import { type Command, Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { DRIVERS } from "../src/mounts/drivers.ts";
import { HUNG_AFTER } from "../src/daemon/options-from-flags.ts";
import { defaultStateDir } from "../src/handover/state-dir.ts";
import { LEVELS, LOG_FORMATS } from "../src/log/log-line.ts";
import { FAILOVER_POLICIES, TRANSPORTS } from "../src/session/choose.ts";
import { address, collect, collectBlob, integer } from "./parse-values.ts";

/** An option of `fuse` and `mount`, and what it needs to have an effect; see check-given.ts. */
export interface MountOption {
  readonly flags: string;
  readonly about: string;
  /** Heading in the help; without one it stands before all others. */
  readonly group?: string;
  readonly choices?: readonly string[];
  readonly default?: unknown;
  readonly parse?: (value: string, before: never) => unknown;
  /** It steers a process that serves: the kernel's EROFS, which needs none, is not taken where it is given. */
  readonly forDaemon?: true;
  /** It has no effect with fuse-native. */
  readonly forDirect?: true;
  /** Refused without these. */
  readonly needs?: readonly string[];
  /** Has no effect without this one, but programs give it all the same: a warning says so. */
  readonly wants?: string;
  /** Has no effect, when it has this value, with this option: a warning says so, and why. */
  readonly idle?: Idle;
  /** Refused with these options, or values of options: `--prefetch off`. */
  readonly against?: readonly Conflict[];
}

interface Idle {
  readonly value?: string;
  readonly with: string;
  readonly why: string;
}

interface Conflict {
  readonly with: string;
  /** Why, if not that it would have no effect. */
  readonly why?: string;
  /** Not with this one. */
  readonly unless?: string;
}

/** Options of nydusd that are not supported, and why. */
const NOT_YET: readonly (readonly [flags: string, why: string])[] = [
  ["--writable", "an image is read-only; put an overlayfs on top"],
  ["-s, --shared-dir <dir>", "directories are not passed through; mount --bind does that"],
];

const ON_OFF = { choices: ["on", "off"], default: "on" } as const;
const STARTS_A_KEEPER = "starts a keeper";

/** nydus-snapshotter gives the next daemon what it gave to the one before. */
const OF_IMAGE = {
  idle: { with: "--upgrade", why: "what is mounted comes from the supervisor" },
} as const;

const TARS = "Where the tars are:";
const MOUNT = "The mount:";
const DAEMON = "The FUSE daemon:";
const ASK = "To ask it:";
const LOG = "The log:";
const SURVIVE = "After a crash, or for an upgrade:";
const AHEAD = "Reading ahead:";

/** Those that every way to mount has. */
export const MOUNT_OPTIONS: readonly MountOption[] = [
  {
    flags: "-D, --localfs-dir <dir>",
    ...OF_IMAGE,
    group: TARS,
    about: "directory that holds the tars under their blob ids",
    against: [{ with: "--config", why: "says where the tars are" }],
  },
  {
    flags: "--blob-dir <dir>",
    ...OF_IMAGE,
    group: TARS,
    about: "the same, may be given several times",
    ...{ parse: collect, default: [] },
  },
  {
    flags: "--blob <ID=PATH>",
    ...OF_IMAGE,
    group: TARS,
    about: "file of one blob, by id or by its number from 1",
    ...{ parse: collectBlob, default: [] },
    needs: ["--bootstrap"],
  },
  {
    flags: "-C, --config <file>",
    group: TARS,
    about: "nydusd configuration, JSON v1 or v2, or TOML (localfs part)",
  },
  {
    flags: "--transport <name>",
    group: DAEMON,
    about: "how to talk to the kernel",
    ...{ choices: TRANSPORTS, default: "auto" },
    forDaemon: true,
  },
  {
    flags: "--thread-num, --fuse-threads <n>",
    group: DAEMON,
    about: "worker threads; more join while all wait for slow tars",
    ...{ parse: integer(1, 1024), default: 2 },
    ...{ forDaemon: true, forDirect: true },
  },
  {
    flags: "--push <when>",
    group: DAEMON,
    about: "hand small files to the page cache ahead of sequential readers",
    ...ON_OFF,
    ...{ forDaemon: true, forDirect: true },
    idle: { value: " on", with: "--file-stats", why: "each file's first read is to be seen" },
  },
  {
    flags: "--low-latency <when>",
    group: DAEMON,
    about: "keep idle CPUs from sleeping while requests come in numbers",
    ...ON_OFF,
    ...{ forDaemon: true, forDirect: true },
  },
  {
    flags: "--lenient",
    ...OF_IMAGE,
    group: MOUNT,
    about: "serve what is valid of a broken image; the rest answers EUCLEAN",
    default: false,
    forDaemon: true,
  },
  {
    flags: "--strict",
    ...OF_IMAGE,
    about: "refuse names and symlinks that break the format, which are shown as Linux shows them",
    default: false,
    against: [{ with: "--lenient" }],
  },
  {
    flags: "--verity <ROOT|FILE>",
    ...OF_IMAGE,
    group: MOUNT,
    about:
      "hold all that is read of an exported disk to its hash tree: the root digest, or a file with what export --verity printed",
    forDaemon: true,
    needs: ["--bootstrap"],
  },
  {
    flags: "--verity-key <pem>",
    ...OF_IMAGE,
    group: MOUNT,
    about: "take the root digest only from a file that this public key has signed: FILE.sig",
    forDaemon: true,
    needs: ["--verity"],
  },
  {
    flags: "--verity-tree <file>",
    ...OF_IMAGE,
    group: MOUNT,
    about: "the hash tree is in this file, as export --verity-only writes it, and not in the disk",
    forDaemon: true,
    needs: ["--verity"],
  },
  {
    flags: "--force",
    ...OF_IMAGE,
    group: MOUNT,
    about: "mount over a directory that is not empty or mounted on already",
    default: false,
  },
  {
    flags: "-o, --options <list>",
    group: MOUNT,
    about: "for the mount (suid,dev), for mount(8), or these options without dashes (ref=app:1.0)",
    parse: collect,
    default: [],
  },
  {
    flags: "--daemonize",
    group: MOUNT,
    about: "return when the mount can be used, as mount does anyway",
    default: false,
  },
  {
    flags: "--foreground",
    group: MOUNT,
    about: "serve in this process, as the form without a command does",
    default: false,
    against: [
      { with: "--daemonize", why: "stays" },
      { with: "--driver erofs*", why: "is for a daemon, and the kernel needs none" },
    ],
  },
  {
    flags: "--pid-file <file>",
    group: MOUNT,
    about: "write the pid there once the mount can be used",
    forDaemon: true,
  },
  {
    flags: "--user <NAME|UID[:GID]>",
    group: MOUNT,
    about: "serve as this user, which must be able to read the tars; root mounts",
    forDaemon: true,
    against: [
      { with: "--rw", why: "cannot unmount an overlay" },
      { with: "--transport fuse-native", why: "needs a daemon that mounts /dev/fuse itself" },
    ],
  },
  {
    flags: "-A, --apisock <path>",
    group: ASK,
    about: "serve nydusd's management API on a unix socket there",
    forDaemon: true,
  },
  {
    flags: "-m, --virtual-mountpoint <path>",
    ...OF_IMAGE,
    group: MOUNT,
    about: "where the image is to be seen within the mount",
    default: "/",
    forDaemon: true,
    needs: ["--bootstrap"],
    against: [
      { with: "--transport fuse-native", why: "is within the mount, and that shows one image at its root" },
    ],
  },
  {
    flags: "--id <id>",
    group: ASK,
    about: "what the management API calls this daemon",
    forDaemon: true,
    wants: "--apisock",
  },
  {
    flags: "--file-stats",
    group: ASK,
    about: "with --apisock: count what is asked about each file",
    default: false,
    forDaemon: true,
    needs: ["--apisock"],
  },
  {
    flags: "-l, --log-level <level>",
    group: LOG,
    about: "how much is logged",
    choices: LEVELS,
    default: "info",
  },
  { flags: "-L, --log-file <file>", group: LOG, about: "append the log there instead of stderr" },
  {
    flags: "--log-format <name>",
    group: LOG,
    about: "text as nydusd writes it, or JSON lines; auto is text on a terminal only",
    ...{ choices: LOG_FORMATS, default: "auto" },
  },
  {
    flags: "--log-rotation-size <MiB>",
    group: LOG,
    about: "begin a new log file at this size, keep 10 compressed; 0 is never",
    ...{ parse: integer(0, 1 << 20), default: 0 },
    wants: "--log-file", // nydus-snapshotter asks for rotation whether or not it asks for a file
  },
  {
    flags: "--no-keeper",
    group: SURVIVE,
    about: "run as one process: when it dies, the mount is dead",
    forDaemon: true,
  },
  {
    flags: "--supervisor <socket>",
    group: SURVIVE,
    about: "socket of a supervisor that keeps the session, as nydus-snapshotter's; wants --id, --apisock",
    ...{ forDaemon: true, forDirect: true },
    needs: ["--id", "--apisock"],
  },
  {
    flags: "--upgrade",
    group: SURVIVE,
    about: "with --supervisor: mount nothing, wait to be told to take a session over",
    default: false,
    ...{ forDaemon: true, forDirect: true },
    needs: ["--supervisor"],
  },
  {
    flags: "--recover",
    group: SURVIVE,
    about: "go on with a session whose keeper was killed, or mount what it had afresh",
    default: false,
    ...{ forDaemon: true, forDirect: true },
    against: [
      { with: "--no-keeper", why: STARTS_A_KEEPER },
      { with: "--user", why: STARTS_A_KEEPER },
      { with: "--supervisor", why: STARTS_A_KEEPER },
    ],
  },
  {
    flags: "--standby",
    group: SURVIVE,
    about: "keep a process ready that goes on at once when the serving one dies",
    default: false,
    ...{ forDaemon: true, forDirect: true },
    against: [{ with: "--no-keeper" }, { with: "--user" }, { with: "--supervisor" }],
  },
  {
    flags: "--failover-policy <policy>",
    group: SURVIVE,
    about:
      "what becomes of requests that were being answered by a process that died: sent again, failed, or left",
    ...{ choices: FAILOVER_POLICIES, default: "resend" },
    ...{ forDaemon: true, forDirect: true },
    against: [{ with: "--no-keeper", unless: "--supervisor" }, { with: "--user" }],
  },
  {
    flags: "--state-dir <dir>",
    group: SURVIVE,
    about: `where the state for the next process is kept (default: ${defaultStateDir()})`,
    ...{ forDaemon: true, forDirect: true },
    against: [{ with: "--user" }],
  },
  {
    flags: "--rlimit-nofile <n>",
    group: MOUNT,
    about: "files the process may have open, 0 leaves the limit",
    parse: integer(0, 1 << 30),
  },
  {
    flags: "--metrics-address <[HOST:]PORT>",
    group: ASK,
    about: "serve /metrics, /healthz and /readyz there",
    parse: address,
    forDaemon: true,
  },
  {
    flags: "--hung-after <seconds>",
    group: ASK,
    about: `with --metrics-address: requests older than this are hung (default: ${HUNG_AFTER})`,
    parse: integer(1, 86_400),
    needs: ["--metrics-address"],
  },
  {
    flags: "--prefetch-files <file>",
    ...OF_IMAGE,
    group: AHEAD,
    about: "warm the tars of these files: a path a line, or a trace",
    needs: ["--bootstrap"],
    against: [{ with: "--prefetch off" }],
  },
  {
    flags: "--prefetch <when>",
    ...OF_IMAGE,
    group: AHEAD,
    about: "warm what the list names, or the table of the image; a configuration may turn the table off",
    ...ON_OFF,
    needs: ["--bootstrap"],
  },
  {
    flags: "--prefetch-rate <MiB/s>",
    ...OF_IMAGE,
    group: AHEAD,
    about: "how fast, 0 has no limit",
    parse: integer(0, 1 << 20),
    needs: ["--bootstrap"],
    against: [{ with: "--prefetch off" }],
  },
  {
    flags: "--prefetch-memory <MiB>",
    ...OF_IMAGE,
    group: AHEAD,
    about: "how much (default: half of the memory that is available)",
    parse: integer(1, 1 << 30),
    needs: ["--bootstrap"],
    against: [{ with: "--prefetch off" }],
  },
  {
    flags: "--trace <file>",
    ...OF_IMAGE,
    group: AHEAD,
    about: "write down what is read first: a list for --prefetch-files",
    forDaemon: true,
    needs: ["--bootstrap"],
  },
];

/** Those of `mount`, which takes what there is, and the mount backend that takes it. */
export const SOURCE_OPTIONS: readonly MountOption[] = [
  {
    flags: "--driver <name>",
    about:
      "what shows the image: the kernel's EROFS, from files or loop devices, or a FUSE daemon; auto takes the " +
      "kernel where it takes the image",
    ...{ choices: DRIVERS, default: "auto" },
  },
  { flags: "--rw <upper>", about: "make it writable: an overlay keeps changes below this directory" },
  CACHE_DIR,
  REF,
  PLATFORM,
  {
    flags: "--strict-xattrs",
    about: "refuse layers with extended attributes that an image does not keep",
    default: false,
  },
  MAX_LAYER_SIZE,
];

/** Adds options to a command, and those of nydusd that are not supported. */
export function addMountOptions(command: Command, more: readonly MountOption[] = []): Command {
  for (const each of [...more, ...MOUNT_OPTIONS]) command.addOption(optionOf(each));
  for (const [flags, why] of NOT_YET)
    command.addOption(
      new Option(flags).hideHelp().argParser(() => {
        throw new UsageError(`${optionName(flags)} is not supported: ${why}`);
      }),
    );
  return command;
}

/** Options of both lists that another command has, too, by their long names. */
export function addOptionsNamed(command: Command, names: readonly string[]): Command {
  for (const name of names) {
    const found = [...SOURCE_OPTIONS, ...MOUNT_OPTIONS].find(({ flags }) => optionName(flags) === name);
    if (found === undefined) throw new Error(`no option ${name}`);
    command.addOption(optionOf(found));
  }
  return command;
}

const optionName = (flags: string): string | undefined => /--[\w-]+/.exec(flags)?.[0];

function optionOf({ flags, about, choices, parse, ...rest }: MountOption): Option {
  const option = new Option(flags, about);
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) option.argParser(parse as (value: string, before: unknown) => unknown);
  if (rest.default !== undefined) option.default(rest.default);
  if (rest.group !== undefined) option.helpGroup(rest.group);
  return option;
}
