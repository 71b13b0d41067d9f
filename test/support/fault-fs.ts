import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { emptyDir, launch } from "./daemon.ts";

const SERVER = fileURLToPath(new URL("../../dist/test/support/fault-fs-server.js", import.meta.url));

/** What becomes of READs of a file that touch bytes `from`…`to`; all of them when those are not given. */
export type Order = { readonly file: string; readonly from?: number; readonly to?: number } & (
  | { readonly fault: "pass" }
  /** Answered so much later. */
  | { readonly fault: "delay"; readonly ms: number }
  /** Not answered before the next order about the file that is not this one. */
  | { readonly fault: "block" }
  | { readonly fault: "error"; readonly errno: "EIO" | "ENODATA" | "ESTALE" }
);

/** A file system that shows the files of a directory, read-only, by name, and fails as it is told. */
export interface FaultFs {
  /** Where it is mounted: in a directory that is gone with the test. */
  readonly dir: string;
  /** To be stopped or killed. */
  readonly pid: number;
  /** Resolves when it is in force; what was held goes on, unless it is `block`. */
  order(order: Order): Promise<void>;
  /** READs that it has not answered yet. The kernel reads ahead: up to 128 KiB are one READ. */
  held(): Promise<number>;
}

/**
 * A process of its own, because a thread that waits for a mount must not be the one that serves it. What was read once is
 * in the page cache and is not asked for again: a fault hits what nobody has read yet.
 */
export async function startFaultFs(directory: string): Promise<FaultFs> {
  const dir = emptyDir();
  const child = launch(process.execPath, [SERVER, directory, dir]);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the file system ended: ${said}`);
    return value;
  };
  if ((await next()) !== "ready") throw new Error(said);
  let last: Promise<unknown> = Promise.resolve();
  const ask = (order: Order | { fault: "held" }): Promise<number> => {
    const answer = last.then(() => {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return next();
    });
    last = answer;
    return answer.then(Number);
  };
  return {
    dir,
    pid: child.pid ?? 0,
    order: async (order) => {
      await ask(order);
    },
    held: () => ask({ fault: "held" }),
  };
}
