import { COMMAND } from "./protocol.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(COMMAND).map(([name, type]) => [type, name.toLowerCase()]),
);

/** What a server has done so far. */
export class NbdCounts {
  /** Connected now, and ever. */
  clients = 0;
  allClients = 0;
  errors = 0;
  /** Of READs within a disk. */
  readBytes = 0;
  /** By name of the command. */
  readonly requests: Record<string, number> = Object.fromEntries(
    [...NAMES.values(), "unknown"].map((name) => [name, 0]),
  );

  request(type: number): void {
    const name = NAMES.get(type) ?? "unknown";
    this.requests[name] = (this.requests[name] ?? 0) + 1;
  }
}
