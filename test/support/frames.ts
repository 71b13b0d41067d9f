import { HeldFiles } from "../../src/blob/held-files.ts";
import { newControl } from "../../src/fuse/control.ts";
import { openLog } from "../../src/log/log.ts";
import { newInflight } from "../../src/counters/inflight.ts";
import { WorkerPool } from "../../src/session/worker-pool.ts";
import { NO_FILE_RECORDS } from "../../src/session/file-records.ts";
import { openAndPin } from "../../src/session/pinned-image.ts";
import { stillImages } from "./still-images.ts";

/**
 * `frames.js FD BOOTSTRAP TAR`: one worker answers requests that come through any descriptor that keeps their bounds, as
 * if it were the FUSE device. Prints each exception of a handler once, and at last how the worker ended.
 */
const [device, bootstrap, tar] = process.argv.slice(2);
const log = openLog("warn");
const held = new HeldFiles();
const places = { dirs: [], files: new Map([["1", tar]]) };
const choice = { bootstrap, places, lenient: false, id: "", records: NO_FILE_RECORDS, prefetch: undefined };
const pinned = openAndPin(choice, held, log);
const fd = Number(device);
const control = newControl(1);
const inflightTable = newInflight(1);
const { publisher, imageTable } = stillImages(held, control, inflightTable, log);
imageTable.mountFirst([], pinned);
const pool = new WorkerPool(1);
const { handle } = pinned.image;
const task = {
  fd,
  control,
  counters: imageTable.slots.session,
  inflightTable,
  maxRead: 65_536,
  traits: { hasXattrs: handle.hasXattrs, hasAcls: handle.hasAcls },
  isFixed: process.argv[5] === "fixed",
  maxOpen: 16,
  since: 0,
};
const ignore = () => {};
const known = new Set<string>();
const problem = ({ message }: { message: string }) => {
  if (!known.has(message)) process.stdout.write(`${message}\n`);
  known.add(message);
};
const listener = {
  init: ignore,
  sequential: ignore,
  contention: ignore,
  busy: ignore,
  trace: ignore,
  problem,
};
pool.serve({ task, publisher, images: imageTable.snapshot, listener, endServing: ignore, log });
process.stdout.write(`${JSON.stringify(await pool.ended)}\n`);
