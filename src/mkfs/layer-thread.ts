import "../path-bytes/thread.ts";
import { parentPort } from "node:worker_threads";
import { FormatError } from "../bytes/errors.ts";
import { registerElsewhere, stopMakers } from "../atomic-file/clean-up.ts";
import { createLayerImage, type LayerImage, type LayerRequest } from "./create.ts";

/** A layer to build; warnings come back as messages. */
export type LayerTask = Omit<LayerRequest, "warn">;

/** What the thread is told; "stop" when a signal has come. */
export type ThreadCommand = LayerTask | "stop";

/** An error, as far as it outlives the way between threads. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** Of a FormatError. */
  readonly problem?: string;
  readonly where?: { readonly file: string; readonly at: number };
}

/** What the thread says. */
export type ThreadMessage =
  | { readonly say: "warning"; readonly message: string }
  | { readonly say: "file"; readonly path: string; readonly isKept: boolean }
  | { readonly say: "built"; readonly created: LayerImage }
  | { readonly say: "failed"; readonly failure: Failure };

if (parentPort === null) throw new Error("mkfs/layer-thread runs in a worker thread only");
const port = parentPort;
const say = (what: ThreadMessage): void => port.postMessage(what);

registerElsewhere((path, isKept) => say({ say: "file", path, isKept }));
port.on("message", async (task: ThreadCommand) => {
  if (task === "stop") {
    await stopMakers();
    process.exit(); // this thread
  }
  try {
    const warn = (message: string) => say({ say: "warning", message });
    const created = await createLayerImage({ ...task, warn });
    port.postMessage({ say: "built", created } satisfies ThreadMessage, [
      created.image.buffer as ArrayBuffer,
    ]);
  } catch (error) {
    say({ say: "failed", failure: failureOf(error) });
  }
});

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return error instanceof FormatError
    ? { name, message, problem: error.problem, where: error.where }
    : { name, message };
}
