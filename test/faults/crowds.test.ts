import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { build } from "../mkfs/support.ts";
import { ask, servedCounts, sh, start } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { isBack } from "../support/leftovers.ts";
import { resourcesOf } from "../support/submounts.ts";

const MANY = 100_000;
/** The image and the tree that it was made of; mkfs.erofs would take minutes for as many names. */
let image: { readonly flags: readonly string[]; readonly source: string };
beforeAll(async () => {
  const dir = scratchDir();
  const [source, tar, bootstrap] = [join(dir, "source"), join(dir, "layer.tar"), join(dir, "image.boot")];
  sh(
    `mkdir "$S"; cd "$S"; head -c 40000000 /dev/urandom >big; head -c 24000000 /dev/urandom >other; mkdir d many
     for i in $(seq 1000); do echo $i $i >d/f$i; done; (cd many; seq -f 'name-%06.0f' ${MANY} | xargs touch); tar -cf "$T" .`,
    { S: source, T: tar },
  );
  await build(tar, { bootstrap });
  image = { source, flags: ["--bootstrap", bootstrap, "--blob", `1=${tar}`] };
});

/** libfuse 2 keeps up to ten idle threads, and builds a directory that is listed in memory, once for each who lists. */
const SLACK = { direct: {}, "fuse-native": { threads: 12, rssMb: 512 } };

/** Serves while `script` runs with the mountpoint and the source; it must be silent. Then all is as it was. */
async function crowd(transport: keyof typeof SLACK, script: string): Promise<void> {
  const daemon = await start([...image.flags, "--transport", transport]);
  await ask('cat "$1/d/f1" "$1/big" >/dev/null', daemon.mountpoint);
  const before = resourcesOf(daemon.pid);
  expect(await ask(script, daemon.mountpoint, image.source)).toBe("");
  console.log(JSON.stringify({ before, after: await isBack(daemon.pid, before, SLACK[transport]) }));
  expect(await daemon.stop()).toBe(0);
  expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
}

const python = (script: string) =>
  `python3 - "$1" "$2" <<'END'\nimport ctypes, hashlib, mmap, multiprocessing, os, random, signal, sys, time\nroot, source = sys.argv[1:]\n${script}\nEND`;
/** Runs so many of `work` and fails when one of them does. */
const PROCESSES = `
def at_once(n, work):
    all = [multiprocessing.Process(target=work, args=(i,)) for i in range(n)]
    for p in all: p.start()
    for p in all: p.join()
    bad = [p.exitcode for p in all if p.exitcode != 0]
    if bad: sys.exit("failed: %s" % bad)
def same(path, other=None):
    with open(os.path.join(root, path), "rb") as a, open(os.path.join(source, path), "rb") as b:
        while True:
            x, y = a.read(262144), b.read(262144)
            assert x == y, path
            if not x: return`;

describe.each(["direct", "fuse-native"] as const)("%s", (transport) => {
  it("1,000 files held open, dropped from the cache and read again", () =>
    crowd(
      transport,
      python(`
fds = [os.open(f"{root}/d/f{i}", os.O_RDONLY) for i in range(1, 1001)]
for turn in range(2):
    for i, fd in enumerate(fds, 1):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(fd, 100, 0) == b"%d %d\\n" % (i, i)`),
    ));

  it("200 readers at once, and 64 of one file, none of which waits long", () =>
    crowd(
      transport,
      python(`${PROCESSES}
def one(i):
    rng = random.Random(i)
    slowest = 0
    for k in range(40):
        n = rng.randrange(1, 1001)
        t = time.monotonic()
        assert open(f"{root}/d/f{n}").read() == "%d %d\\n" % (n, n)
        slowest = max(slowest, time.monotonic() - t)
    assert slowest < 20, slowest
at_once(200, one)
def direct(i):
    rng = random.Random(i)
    fd = os.open(f"{root}/big", os.O_RDONLY | os.O_DIRECT)
    want = os.open(f"{source}/big", os.O_RDONLY)
    room = mmap.mmap(-1, 65536)
    for k in range(30):
        at = rng.randrange(0, 39000000) & ~4095
        n = os.preadv(fd, [room], at)
        assert room[:n] == os.pread(want, 65536, at), at
at_once(64, direct)`),
    ));

  it(`${MANY} names, listed by 8 processes while others look them up`, () =>
    crowd(
      transport,
      python(`${PROCESSES}
def work(i):
    if i < 8:
        names = os.listdir(f"{root}/many")
        assert len(names) == len(set(names)) == ${MANY}, len(names)
    else:
        rng = random.Random(i)
        for k in range(1500):
            assert os.stat(f"{root}/many/name-{rng.randrange(1, ${MANY + 1}):06}").st_size == 0
        try: os.stat(f"{root}/many/none"); sys.exit(1)
        except FileNotFoundError: pass
at_once(12, work)`),
    ));

  it("mappings and readahead storms: the sum of every process is right", () =>
    crowd(
      transport,
      python(`${PROCESSES}
want = {name: hashlib.sha256(open(f"{source}/{name}", "rb").read()).digest() for name in ("big", "other")}
def work(i):
    name = ("big", "other")[i % 2]
    with open(f"{root}/{name}", "rb") as f:
        size = os.fstat(f.fileno()).st_size
        m = mmap.mmap(f.fileno(), size, mmap.MAP_SHARED if i % 3 else mmap.MAP_PRIVATE, mmap.PROT_READ)
        rng = random.Random(i)
        for k in range(60):
            at = rng.randrange(size) & ~4095
            m.madvise(rng.choice([mmap.MADV_WILLNEED, mmap.MADV_RANDOM, mmap.MADV_SEQUENTIAL, mmap.MADV_DONTNEED]), at, min(1 << 20, size - at))
            os.posix_fadvise(f.fileno(), at, 1 << 20, rng.choice([os.POSIX_FADV_WILLNEED, os.POSIX_FADV_DONTNEED]))
            m[at]
        assert hashlib.sha256(m).digest() == want[name], name
at_once(8, work)`),
    ));

  it("signals to readers every millisecond change no sum", () =>
    crowd(
      transport,
      python(`${PROCESSES}
want = hashlib.sha256(open(f"{source}/other", "rb").read()).digest()
def work(i):
    caught = [0]
    def hear(*_): caught[0] += 1
    signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    turn = 0
    while turn < 2 or caught[0] < 100:
        fd = os.open(f"{root}/other", os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        sha = hashlib.sha256()
        while True:
            part = os.read(fd, 100000)
            if not part: break
            sha.update(part)
        os.close(fd)
        turn += 1
        assert sha.digest() == want
at_once(4, work)`),
    ));
});
