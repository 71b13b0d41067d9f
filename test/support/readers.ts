import { type Daemon, launch } from "./daemon.ts";

/**
 * Reads what comes and goes, in python: `reader.py SEED ROOT KNOWN`. KNOWN maps a path within an image to the sha256 of
 * each content that it may have. A file that is read from start to end must have one of them, whatever happens to its
 * image meanwhile; one that is kept open must have the same when its pages were dropped. Nothing else may go wrong than
 * that something is not there.
 */
const READER = `
import errno, hashlib, json, os, random, sys
seed, root, known = int(sys.argv[1]), sys.argv[2], json.load(open(sys.argv[3]))
rng = random.Random(seed)
GONE = (errno.ENOENT, errno.ENOTDIR)
kept, counts = [], {"read": 0, "again": 0, "listed": 0, "gone": 0}
def content(fd):
    os.lseek(fd, 0, 0)
    sha = hashlib.sha256()
    while True:
        part = os.read(fd, rng.choice((4096, 70000, 1 << 20)))
        if not part: return sha.hexdigest()
        sha.update(part)
def wrong(what):
    print(json.dumps({"wrong": what}), flush=True); os._exit(1)
def one():
    places = [os.path.join(root, name) for name in os.listdir(root)]
    if not places: return
    top = rng.choice(places)
    path = rng.choice(sorted(known))
    if rng.random() < 0.2:
        os.listdir(os.path.dirname(os.path.join(top, path))); counts["listed"] += 1
        return
    fd = os.open(os.path.join(top, path), os.O_RDONLY)
    digest = content(fd)
    counts["read"] += 1
    if digest not in known[path]: wrong([top, path, digest])
    kept.append((fd, path, digest))
    if len(kept) > 8:
        fd, path, digest = kept.pop(rng.randrange(len(kept)))
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if content(fd) != digest: wrong(["kept", path])
        counts["again"] += 1
        os.close(fd)
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    try: one()
    except OSError as error:
        if error.errno not in GONE: wrong([str(error)])
        counts["gone"] += 1
print(json.dumps(counts), flush=True)
`;

/** What a reader did. */
export interface Counts {
  readonly read: number;
  readonly again: number;
  readonly listed: number;
  readonly gone: number;
}

export interface Reader {
  /** Ends it. @throws what it found wrong */
  end(): Promise<Counts>;
}

export function startReader({ mountpoint }: Daemon, seed: number, known: string): Reader {
  const child = launch("python3", ["-c", READER, String(seed), mountpoint, known]);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
    });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    end: async () => {
      child.stdin.end();
      const status = await closed;
      if (status !== 0) throw new Error(`a reader found wrong, or failed: ${text}`);
      return JSON.parse(text) as Counts;
    },
  };
}
