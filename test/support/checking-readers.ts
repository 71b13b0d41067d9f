import { launch } from "./daemon.ts";

/**
 * Reads a mount over and over, in python: `SEED ROOT HELD`. What a file's content is was found out when it was read first;
 * any other content, and any error, is a failure. HELD files stay open and are read again with their pages dropped; some
 * reads go past the page cache, some through a mapping; directories are walked. Says at the end what was done, and the
 * longest that one operation took, s.
 */
const READER = `
import hashlib, json, mmap, os, random, select, sys, time
seed, root, most = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rng = random.Random(seed)
known, held, counts, longest, failed = {}, [], {}, 0.0, []
def files():
    return [os.path.join(d, n) for d, _, names in os.walk(root) for n in names if os.path.isfile(os.path.join(d, n)) and not os.path.islink(os.path.join(d, n))]
def content(fd, how):
    size = os.fstat(fd).st_size
    if how == "map" and size:
        with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as m: return m[:]
    parts, at = [], 0
    while True:
        part = os.pread(fd, rng.choice((4096, 70000, 1 << 20)), at)
        if not part: return b"".join(parts)
        parts.append(part); at += len(part)
def direct(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        buffer = mmap.mmap(-1, 1 << 20); parts, at = [], 0
        while True:
            n = os.preadv(fd, [buffer], at)
            if n <= 0: return b"".join(parts)
            parts.append(buffer[:n]); at += n
    finally: os.close(fd)
def check(path, bytes):
    digest = hashlib.sha256(bytes).hexdigest()
    if known.setdefault(path, digest) != digest: failed.append([path, "other bytes"])
def one():
    kind = rng.choice(("read", "read", "map", "direct", "hold", "again", "again", "walk", "stat"))
    path = rng.choice(all)
    if kind == "walk":
        if sorted(files()) != all: failed.append(["walk", "other names"])
    elif kind == "stat":
        os.stat(path); os.path.exists(path + ".none")
    elif kind == "direct": check(path, direct(path))
    elif kind == "again" and held:
        path, fd = rng.choice(held)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED); check(path, content(fd, rng.choice(("read", "map"))))
    elif kind == "hold" and len(held) < most:
        held.append((path, os.open(path, os.O_RDONLY)))
    else:
        fd = os.open(path, os.O_RDONLY)
        if rng.random() < 0.5: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        check(path, content(fd, kind)); os.close(fd)
    counts[kind] = counts.get(kind, 0) + 1
all = sorted(files())
print("begun", len(all), flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    begin = time.monotonic()
    try: one()
    except OSError as error: failed.append([str(error), error.errno])
    longest = max(longest, time.monotonic() - begin)
print(json.dumps({"operations": sum(counts.values()), "counts": counts, "longest": longest, "failed": failed[:20]}), flush=True)
`;

/** What readers did. */
export interface Read {
  readonly operations: number;
  /** s. */
  readonly longest: number;
  readonly failed: readonly unknown[];
}

export interface Readers {
  /** Lets them finish what they do; all of it together. */
  end(): Promise<Read>;
}

/** Starts readers, and waits until each has walked all there is. @param seed printed by who uses it */
export async function startReaders(count: number, root: string, seed = 1, held = 16): Promise<Readers> {
  const readers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const child = launch("python3", ["-c", READER, `${seed + i}`, root, `${held}`]);
      let text = "";
      let errors = "";
      child.stderr.on("data", (chunk) => (errors += chunk));
      const closed = new Promise((resolve) => child.once("close", resolve));
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (chunk) => {
          text += chunk;
          if (text.startsWith("begun ")) resolve();
        });
        void closed.then(() => resolve());
      });
      return async (): Promise<Read> => {
        child.stdin.end("end\n");
        await closed;
        const line = text.split("\n").find((each) => each.startsWith("{"));
        if (line === undefined) return { operations: 0, longest: 0, failed: [`no report: ${text}${errors}`] };
        return JSON.parse(line);
      };
    }),
  );
  return {
    end: async () => {
      const all = await Promise.all(readers.map((end) => end()));
      return {
        operations: all.reduce((sum, { operations }) => sum + operations, 0),
        longest: Math.max(...all.map(({ longest }) => longest)),
        failed: all.flatMap(({ failed }) => failed),
      };
    },
  };
}
