import { type Daemon, launch } from "./daemon.ts";

/**
 * In python: one kind of load until its stdin ends. `known.json` has the sha256 and size of each file. Every byte is
 * checked, any error is one too many; prints how often, and the longest that one thing took.
 */
const SOAKER = `
import ctypes, hashlib, json, mmap, os, random, select, signal, sys, time
kind, seed, root, known = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.load(open(sys.argv[4]))
rng = random.Random(seed)
names = sorted(known)
held = {}
def whole(fd, step):
    sha = hashlib.sha256(); at = 0
    while True:
        part = os.pread(fd, step, at)
        if not part: return sha.hexdigest()
        sha.update(part); at += len(part)
def opened(name, flags=0): return os.open(os.path.join(root, name), os.O_RDONLY | flags)
def check(name, digest):
    if digest != known[name]["sha256"]: sys.exit("%s: wrong bytes in %s" % (kind, name))
def sums():
    name = rng.choice(names); fd = opened(name)
    if rng.random() < 0.5: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    check(name, whole(fd, rng.choice([4096, 65536, 1 << 20]))); os.close(fd)
def holding():
    while len(held) < 64: name = rng.choice(names); held.setdefault(name, opened(name)); len(names) < 64 and held.setdefault(name + str(len(held)), opened(name))
    name = rng.choice(sorted(n for n in held if n in known)); os.posix_fadvise(held[name], 0, 0, os.POSIX_FADV_DONTNEED)
    check(name, whole(held[name], 65536))
def walking():
    found = {}
    for dir, _, files in os.walk(root):
        for f in files: p = os.path.join(dir, f); found[os.path.relpath(p, root)] = os.lstat(p).st_size
    if found != {n: known[n]["size"] for n in names}: sys.exit("walking: another tree")
def mapping():
    name = rng.choice([n for n in names if known[n]["size"] > 0]); fd = opened(name)
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        m.madvise(rng.choice([mmap.MADV_RANDOM, mmap.MADV_SEQUENTIAL, mmap.MADV_WILLNEED]))
        check(name, hashlib.sha256(m).hexdigest())
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED); os.close(fd)
def direct():
    name = rng.choice(names); fd = opened(name, os.O_DIRECT); room = mmap.mmap(-1, rng.choice([4096, 65536, 1 << 20]))
    sha = hashlib.sha256(); at = 0
    while True:
        n = os.preadv(fd, [room], at)
        if n == 0: break
        sha.update(room[:n]); at += n
        if n % 4096: break
    check(name, sha.hexdigest()); os.close(fd)
def signalled():
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001); sums(); signal.setitimer(signal.ITIMER_REAL, 0)
signal.signal(signal.SIGALRM, lambda *_: None)
work = dict(sums=sums, holding=holding, walking=walking, mapping=mapping, direct=direct, signalled=signalled)[kind]
times = slowest = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    t = time.monotonic(); work(); slowest = max(slowest, time.monotonic() - t); times += 1
print(json.dumps({"kind": kind, "times": times, "slowestMs": round(1000 * slowest)}))
`;

export const KINDS = [
  ...["sums", "sums", "sums", "holding", "walking", "mapping", "direct", "signalled"],
] as const;

export interface Done {
  readonly kind: string;
  readonly times: number;
  readonly slowestMs: number;
}

/** @returns ends it. It throws what was wrong */
export function soak(
  { exited }: Daemon,
  kind: string,
  seed: number,
  root: string,
  known: string,
): () => Promise<Done> {
  const child = launch("python3", ["-c", SOAKER, kind, `${seed}`, root, known]);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
    });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const dead = exited.then((how) => {
    throw new Error(`the daemon ended: ${how}`);
  });
  dead.catch(() => {});
  return async () => {
    child.stdin.end();
    const status = await Promise.race([closed, dead]);
    if (status !== 0) throw new Error(`${kind}: ${text}`);
    return JSON.parse(text) as Done;
  };
}
