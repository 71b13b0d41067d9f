import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Sockets of a process that somebody could reach over a network, as `/proc/net` writes them: `tcp 0100007F:1F90`. */
export function networkSockets(pid: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  return ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"].flatMap((kind) =>
    readFileSync(`/proc/${pid}/net/${kind}`, "latin1")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => own.has(kind === "packet" ? fields[8] : fields[9]))
      .map((fields) => `${kind} ${fields[1]}`),
  );
}
