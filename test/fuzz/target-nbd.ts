import { openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FlatDisk, type Run } from "../../src/block/flat-disk.ts";
import { ServedDisk } from "../../src/block/served-disk.ts";
import { listenAt } from "../../src/listen/unix-socket.ts";
import { NbdServer } from "../../src/nbd/server.ts";
import { loadSystemCalls } from "../../src/syscalls/system-call.ts";
import { exchange } from "../support/raw-http.ts";
import { mutateNbd, seedsOf } from "./mutate-nbd.ts";
import { NbdDialogue } from "./nbd-dialogue.ts";
import { type MakeTarget, must, type Verdict } from "./target.ts";

const SIZE = 417_792;

/** A disk of memory, a file and holes, as exports are. */
function diskAt(path: string): { served: ServedDisk; bytes: Buffer } {
  writeFileSync(
    path,
    Uint8Array.from({ length: 200_000 }, (_, i) => (i * i * 7 + (i >> 8)) & 0xff),
  );
  const file = { fd: openSync(path, "r"), name: path };
  const head = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);
  const runs: Run[] = [
    { at: 0, length: 5000, source: { bytes: head } },
    { at: 65_536, length: 150_000, source: { file: 0, from: 512 } },
    { at: 400_384, length: 17_000, source: { file: 0, from: 100_000 } },
  ];
  const bytes = Buffer.alloc(SIZE);
  bytes.set(head);
  for (const { at, length, source } of runs)
    if ("file" in source) readSync(file.fd, bytes, at, length, source.from);
  return { served: new ServedDisk(new FlatDisk(SIZE, runs), [file]), bytes };
}

/** The NBD server: connections with a grammar's words, or whatever, on them; each answer is held to what it is of. */
export const nbdTarget: MakeTarget = async (dir) => {
  await loadSystemCalls();
  const path = join(dir, "nbd.sock");
  const { served, bytes } = diskAt(join(dir, "disk"));
  const warnings: string[] = [];
  const log = { debug: () => {}, warn: (message: string) => warnings.push(message) };
  const exports = [["", served] as const, ["disk", served] as const];
  const nbd = new NbdServer(new Map(exports), log);
  await listenAt(nbd.server, path, "socket");

  const run = async (input: Uint8Array): Promise<Verdict> => {
    const got = await exchange(path, [input]);
    must(warnings.length === 0, () => `says above debug: ${warnings.join("; ")}`);
    const count = new NbdDialogue(input, got, bytes).requests();
    return count > 0 ? "accepted" : "refused";
  };
  const close = () => nbd.close();
  return { seeds: seedsOf(SIZE), longest: 256 << 10, memory: 256, mutate: mutateNbd(SIZE), run, close };
};
