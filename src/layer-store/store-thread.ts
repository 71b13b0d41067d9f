import { statSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { registerElsewhere, stopMakers } from "../atomic-file/clean-up.ts";
import { mergeImages } from "../mkfs/merge.ts";
import { failureOf } from "../mkfs/threads.ts";
import { BlobInput } from "./blob-input.ts";
import { isBlobProblem } from "./blob-problem.ts";
import { convertLayer } from "./convert-layer.ts";
import { scanStore } from "./scan-store.ts";
import type { MergeDone, MergeTask, StoreTask, ThreadCommand, ThreadMessage } from "./tasks.ts";
import { unpackLayer } from "./unpack-layer.ts";

if (parentPort === null) throw new Error("layer-store/store-thread runs in a worker thread only");
const port = parentPort;
const say = (what: ThreadMessage): void => port.postMessage(what);
const warn = (message: string): void => say({ say: "warning", message });
/** Of the layer at hand. */
let input: BlobInput | undefined;

registerElsewhere(() => {}); // whoever gives work up removes the directory that it is done in
port.on("message", async (told: ThreadCommand) => {
  if (told === "stop") {
    await stopMakers();
    process.exit(); // this thread
  }
  if (!("do" in told)) {
    input?.take(told);
    return;
  }
  try {
    say({ say: "done", result: await work(told) });
  } catch (error) {
    const failure = failureOf(error);
    const isLayers = failure.code === "" && isReason(told, error);
    say({ say: "failed", failure, isLayers });
  }
  input = undefined;
});

/** Layers that cannot be merged, for whatever reason, can be unpacked one by one. */
const isReason = ({ do: what }: StoreTask, error: unknown): boolean =>
  what === "merge" || (what === "convert" && !isBlobProblem(error) && !isOwnMistake(error));

/** Neither a layer's fault nor the machine's. Too little memory is a RangeError. */
const isOwnMistake = (error: unknown): boolean =>
  error instanceof RangeError || error instanceof TypeError || error instanceof ReferenceError;

async function work(task: StoreTask) {
  if (task.do === "scan") return scanStore(task);
  if (task.do === "merge") return merge(task);
  if (task.do === "unpack") return unpackLayer(task);
  if (task.file === undefined) input = new BlobInput(task.digest, () => say({ say: "more" }));
  return convertLayer(task, input, warn);
}

function merge({ layers, bootstrap }: MergeTask): MergeDone {
  const { blobs } = mergeImages({
    ...{ layers, bootstrap, blobDir: undefined, prefetch: [], whiteouts: "oci", warn },
  });
  return { bytes: statSync(bootstrap).size, blobs };
}
