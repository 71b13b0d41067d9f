import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * A supervisor as nydus-snapshotter's is (pkg/supervisor), in python: it listens only while it is told to. Commands, a
 * line each: `receive` keeps the bytes and the descriptor of who connects next; `give` hands both to who connects next;
 * `spoil KIND` changes what it will give.
 */
const SUPERVISOR = `
import os, socket, sys
path, state, fd = sys.argv[1], b"", -1
def accept():
    if os.path.exists(path): os.unlink(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path); server.listen(1); print("listening", flush=True)
    server.settimeout(20)
    connection = server.accept()[0]; server.close(); os.unlink(path)
    return connection
for line in sys.stdin:
    words = line.split()
    if words[0] == "receive":
        connection = accept()
        state, fds, _, _ = socket.recv_fds(connection, 1 << 16, 1)
        while True:
            more = connection.recv(1 << 16)
            if not more: break
            state += more
        fd = kept = fds[0]
        saved = state
        print("received", len(state), os.readlink("/proc/self/fd/%d" % fd), flush=True)
    elif words[0] == "give":
        connection = accept()
        socket.send_fds(connection, [state[:100]], [fd] if fd >= 0 else []); connection.sendall(state[100:]); connection.close()
        print("gave", len(state), flush=True)
    elif words[0] == "spoil":
        head, body = saved.split(b"\\n", 1)
        if words[1] == "cut": state = saved[:-7]
        elif words[1] == "garbage": state = os.urandom(500)
        elif words[1] == "version": state = head.replace(b" 1 1 ", b" 9 9 ") + b"\\n" + body
        elif words[1] == "flipped": state = head + b"\\n" + body.replace(b"serial", b"Serial", 1)
        elif words[1] == "descriptor": state, fd = saved, os.open("/dev/null", os.O_RDONLY)
        elif words[1] == "back": state, fd = saved, kept
        print("spoilt", flush=True)
`;

/** One that is running. */
export interface Supervisor {
  /** Tells it something. @returns its answers in their order */
  tell(command: string): () => Promise<string>;
  end(): void;
}

export function supervise(socket: string): Supervisor {
  const child: ChildProcess = spawn("python3", ["-c", SUPERVISOR, socket], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => {
      const next = waiting.shift();
      if (next === undefined) lines.push(line);
      else next(line);
    });
  const answer = () =>
    new Promise<string>((resolve) => {
      const line = lines.shift();
      if (line === undefined) waiting.push(resolve);
      else resolve(line);
    });
  return {
    tell: (command) => {
      child.stdin?.write(`${command}\n`);
      return answer;
    },
    end: () => child.kill("SIGKILL"),
  };
}
