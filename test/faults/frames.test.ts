import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ask } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { often } from "../support/often.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/test/support/frames.js", import.meta.url));
const FRAMES = often("NYDUSD_TS_FRAMES", 2000, 8000);
const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);

/**
 * In python: sends frames to the program on one end of a socket pair, and behind each the question for the root's
 * attributes. To a frame there is one answer at most: its own number, its length, an errno or none.
 */
const SENDER = `
import random, socket, struct, subprocess, sys
seed, frames, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ours.settimeout(30)
command.insert(2, str(theirs.fileno()))
child = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
theirs.close()
rng = random.Random(seed)
NO_ANSWER = {2, 36, 41, 42}
NODES = [0, 1, 2, 36, 40, 0xffffffff, 1 << 32, 1 << 52, (1 << 53) - 1, 1 << 53, (1 << 64) - 1]
def number(bits):
    return rng.choice([0, 1, rng.getrandbits(rng.randrange(1, bits + 1)), (1 << bits) - 1, 4096, 1 << (bits - 1)])
def header(length, opcode, unique, node):
    return struct.pack("<IIQQIIIHH", length & 0xffffffff, opcode & 0xffffffff, unique, node & (1 << 64) - 1, 0, 0, 7, 0, 0)
def body():
    kind = rng.randrange(4)
    if kind == 0: return rng.randbytes(rng.choice([0, 1, 7, 8, 16, 24, 40, 100, 4000]))
    if kind == 1: return struct.pack("<QQIIQII", number(64), number(64), number(32), number(32), number(64), number(32), 0)
    if kind == 2: return rng.choice([b"etc", b".", b"..", b"", b"\\xff\\xfe", b"n" * rng.choice([255, 256, 4000])]) + rng.choice([b"\\0", b""])
    return struct.pack("<II", number(32), number(32)) + rng.choice([b"user.a\\0", b"security.capability\\0", b"x" * 300, b""])
root = header(56, 3, 0, 1) + bytes(16)
def ask_root(unique):
    ours.send(root[:8] + struct.pack("<Q", unique) + root[16:])
def receive():
    answer = ours.recv(1 << 20)
    length, error, unique = struct.unpack_from("<IiQ", answer)
    assert length == len(answer), ("length", length, len(answer))
    assert -4096 < error <= 0 and (error == 0 or length == 16), ("error", error, length)
    return unique, error, answer
ask_root(1)
_, error, right = receive()
assert error == 0 and len(right) == 120, right
answered = {}
for i in range(frames):
    unique = 1000 + 2 * i
    opcode = rng.choice([rng.randrange(1, 56), rng.randrange(64), number(32)])
    if opcode == 38: continue
    rest = body()
    whole = header(rng.choice([40 + len(rest), number(32)]), opcode, unique, rng.choice(NODES + [rng.randrange(400), number(64)])) + rest
    if rng.randrange(50) == 0: whole = rng.randbytes(rng.randrange(40, 400)); unique = struct.unpack_from("<Q", whole, 8)[0]; opcode = struct.unpack_from("<I", whole, 4)[0]
    ours.send(whole)
    ask_root(unique ^ 1)
    got, error, answer = receive()
    if got != unique ^ 1:
        assert got == unique, ("number", got, unique, opcode)
        answered[opcode] = answered.get(opcode, 0) + 1
        got, error, answer = receive()
    else: assert opcode in NO_ANSWER, ("no answer", opcode)
    assert got == unique ^ 1 and error == 0 and answer[16:] == right[16:], ("root", got, error)
print("all answered,", sum(answered.values()) > frames // 2 and len(answered) > 60)
child.kill()
child.wait()
`;

it.each(["fixed", "changing"])(
  `${FRAMES} random FUSE frames get one valid answer each: a session of %s images, seed ${SEED}`,
  { timeout: 120_000 + 2 * FRAMES },
  async (kind) => {
    const { path, devices } = fixture("01-basic");
    const said = await ask(
      'script=$1; shift; timeout 1000 python3 -c "$script" "$@"',
      ...[SENDER, `${SEED}`, `${FRAMES}`, process.execPath, PROGRAM, path, devices[0], kind],
    );
    expect(said).toBe("all answered, True\n");
  },
);
