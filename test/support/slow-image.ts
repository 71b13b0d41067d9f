import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Daemon, facts, sh, start, workDir } from "./daemon.ts";
import { type FaultFs, type Order, startFaultFs } from "./fault-fs.ts";
import { scratchDir } from "./image.ts";
import { TAR } from "./tar-image.ts";

const IMAGE = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
/** Of a file in the slow tar: more than what the kernel reads there at once, so that each file's first READ is its own. */
export const SLOW_BYTES = 200_000;

/** An image of two tars, one of which lies where its reads can be made to hang. */
export interface SlowTars {
  /** What a daemon is told to serve it. */
  readonly flags: readonly string[];
  readonly fault: FaultFs;
  /** What was packed: `s/1`…`s/N` in the slow tar, `f` in the other. */
  readonly source: string;
  /** What becomes of reads of the slow tar. */
  slow(order: Order extends infer O ? (O extends Order ? Omit<O, "file"> : never) : never): Promise<void>;
}

/** A daemon that serves such an image. */
export interface SlowImage extends SlowTars {
  readonly daemon: Daemon;
  /** Its management API. */
  readonly sock: string;
  /** What the process has at this moment. */
  held(): { readonly fds: number; readonly threads: number; readonly rssMb: number };
}

/** @param files in the slow tar, which nobody has read yet */
export async function makeSlow(files: number): Promise<SlowTars> {
  const dir = scratchDir();
  const source = join(dir, "source");
  const below = join(dir, "below");
  for (const each of [source, below]) mkdirSync(each);
  const boot = join(dir, "image.boot");
  sh(
    `mkdir "$S/s" "$S/f"; cd "$S"
     for i in $(seq ${files}); do head -c ${SLOW_BYTES} /dev/urandom >s/$i; done
     for i in $(seq 100); do head -c 20000 /dev/urandom >f/$i; done
     head -c 8000000 /dev/urandom >f/big
     ${TAR} -cf "$D/below/slow.tar" s; ${TAR} -cf "$D/fast.tar" f
     "$N" "$I" create -B "$B" --blob-link none "$D/below/slow.tar" "$D/fast.tar" 2>&1`,
    { S: source, D: dir, B: boot, N: process.execPath, I: IMAGE },
  );
  const fault = await startFaultFs(below);
  const idOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
  const flags = [
    ...["--bootstrap", boot, "--blob", `${idOf(join(below, "slow.tar"))}=${join(fault.dir, "slow.tar")}`],
    ...["--blob", `${idOf(join(dir, "fast.tar"))}=${join(dir, "fast.tar")}`],
  ];
  return { flags, fault, source, slow: (order) => fault.order({ file: "slow.tar", ...order }) };
}

/** @param files in the slow tar, which nobody has read yet */
export async function startSlow(files: number, ...args: string[]): Promise<SlowImage> {
  const tars = await makeSlow(files);
  const sock = join(workDir(), "api.sock");
  const daemon = await start([...tars.flags, "--apisock", sock, ...args]);
  return {
    ...tars,
    ...{ daemon, sock },
    held: () => {
      const { threads, rssKb } = facts(daemon.pid);
      return { fds: readdirSync(`/proc/${daemon.pid}/fd`).length, threads, rssMb: rssKb >> 10 };
    },
  };
}
