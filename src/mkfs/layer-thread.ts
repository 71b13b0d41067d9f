import "../path-bytes/thread.ts";
import { parentPort } from "node:worker_threads";
import { registerElsewhere, stopMakers } from "../atomic-file/clean-up.ts";
import { createLayerImage, type LayerImage, type LayerRequest } from "./create.ts";
import { type Failure, failureOf, type Stop } from "./threads.ts";

/** A layer to build; warnings come back as messages. */
export type LayerTask = Omit<LayerRequest, "warn">;

/** What the thread is told. */
export type ThreadCommand = LayerTask | Stop;

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
