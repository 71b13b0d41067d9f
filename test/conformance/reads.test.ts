import { beforeAll, describe, expect, it } from "vitest";
import { ask, servedCounts, start } from "../support/daemon.ts";
import { often } from "../support/often.ts";
import { type TarImage, tarImage } from "../support/tar-image.ts";

const SECONDS = often("NYDUSD_TS_SECONDS", 2, 10);
const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);

/** Sizes around pages, blocks of the image, reads of the kernel, chunks; a hole; and many small ones. */
let image: TarImage;
beforeAll(() => {
  image = tarImage(`for n in 0 1 511 512 513 4095 4096 4097 65535 131073 1048575 1048576 1048577 9000001; do
      head -c $n /dev/urandom >f$n; done
    truncate -s 3000000 hole; printf data | dd of=hole bs=1 seek=1500000 conv=notrunc status=none; truncate -s 5000000 hole`);
});

/** As fsx, but for EXDEV, with which Linux refuses copy_file_range between two kinds of file system: random operations of one kind after the other, each answer compared with the original's. */
const FSX = `
import ctypes, fcntl, hashlib, json, mmap, os, random, socket, sys, tempfile, time
root, source, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
names = sorted(os.listdir(source))
assert sorted(os.listdir(root)) == names
whole = {n: open(os.path.join(source, n), "rb").read() for n in names}
fds = {n: os.open(os.path.join(root, n), os.O_RDONLY) for n in names}
direct = {n: os.open(os.path.join(root, n), os.O_RDONLY | os.O_DIRECT) for n in names}
counts = {}
def place(size, most=1 << 20):
    at = rng.choice([0, size, max(0, size - 1), size + 1, rng.randrange(size + 1), rng.randrange(size + 1) & ~4095, size + 5000])
    return at, rng.choice([0, 1, 511, 4096, 4097, 65536, most, rng.randrange(most)])
def pread(n, b):
    at, length = place(len(b)); assert os.pread(fds[n], length, at) == b[at:at + length]
def read(n, b):
    at, length = place(len(b)); os.lseek(fds[n], at, os.SEEK_SET)
    assert os.read(fds[n], length) == b[at:at + length]
def readv(n, b):
    at, _ = place(len(b)); rooms = [bytearray(rng.randrange(0, 9000)) for _ in range(rng.randrange(1, 9))]
    got = os.preadv(fds[n], rooms, at); want = b[at:at + sum(map(len, rooms))]
    assert got == len(want) and b"".join(rooms)[:got] == want
def odirect(n, b):
    at, length = place(len(b)); at &= ~4095; room = mmap.mmap(-1, max(4096, length & ~4095))
    got = os.preadv(direct[n], [room], at); assert room[:got] == b[at:at + len(room)] and got == len(b[at:at + len(room)])
def mapped(n, b):
    if not b: return
    m = mmap.mmap(fds[n], len(b), rng.choice([mmap.MAP_SHARED, mmap.MAP_PRIVATE]), mmap.PROT_READ)
    at, length = place(len(b)); assert m[at:at + length] == b[at:at + length]
    page = len(b) - 1 & ~4095; assert m[page:] == b[page:]
    m.close()
def to_file(copy):
    def run(n, b):
        at, length = place(len(b))
        with tempfile.TemporaryFile() as out:
            done = 0
            while done < length:
                try: got = copy(fds[n], out.fileno(), at + done, done, length - done)
                except OSError as e:
                    if e.errno == 18: return
                    raise
                if got == 0: break
                done += got
            out.seek(0); assert out.read() == b[at:at + length]
    return run
def through_pipe(i, o, at, to, length):
    r, w = os.pipe()
    try:
        got = os.splice(i, w, min(length, 65536), offset_src=at); left = got
        while left: left -= os.splice(r, o, left, offset_dst=to + got - left)
        return got
    finally: os.close(r); os.close(w)
def seek(n, b):
    end = os.lseek(fds[n], 0, os.SEEK_END); assert end == len(b)
    at = rng.randrange(len(b) + 1)
    try: data = os.lseek(fds[n], at, os.SEEK_DATA)
    except OSError as e: assert e.errno == 6 and (at == len(b) or not b[at:].strip(b"\\0")); return
    assert at <= data < len(b) and not b[at:data].strip(b"\\0")
    hole = os.lseek(fds[n], at, os.SEEK_HOLE); assert at <= hole <= len(b)
def drop(n, b):
    os.posix_fadvise(fds[n], *place(len(b)), rng.choice([os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED, os.POSIX_FADV_RANDOM, os.POSIX_FADV_SEQUENTIAL]))
kinds = [pread, read, readv, odirect, mapped, seek, drop,
  to_file(lambda i, o, at, to, length: os.sendfile(o, i, at, length)),
  to_file(lambda i, o, at, to, length: os.copy_file_range(i, o, length, at, to)), to_file(through_pipe)]
labels = ["pread", "read", "readv", "odirect", "mmap", "seek", "fadvise", "sendfile", "copy_file_range", "splice"]
end = time.monotonic() + seconds
while time.monotonic() < end:
    n = rng.choice(names); k = rng.randrange(len(kinds))
    try: kinds[k](n, whole[n])
    except Exception as e: sys.exit("%s of %s, operation %d, seed %d: %r" % (labels[k], n, sum(counts.values()), seed, e))
    counts[labels[k]] = counts.get(labels[k], 0) + 1
for n in names: assert hashlib.sha256(open(os.path.join(root, n), "rb").read()).digest() == hashlib.sha256(whole[n]).digest()
print(json.dumps(counts))
`;

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  it(`random reads of every kind for ${SECONDS} s, seed ${SEED}, are what was packed`, {
    timeout: 120_000 + 1000 * SECONDS,
  }, async () => {
    const daemon = await start([...image.flags, "--transport", transport]);
    const args = [FSX, daemon.mountpoint, image.source, `${SECONDS}`, `${SEED}`];
    const counts = JSON.parse(await ask('script=$1; shift; python3 -c "$script" "$@"', ...args));
    console.log(JSON.stringify(counts));
    expect(Object.keys(counts).length).toBe(10);
    expect(await daemon.stop()).toBe(0);
    expect(servedCounts(daemon.output())["errors"]).toBeUndefined();
  });
});
