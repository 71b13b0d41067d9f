import { HeldFiles } from "../../src/blob/held-files.ts";
import { newControl } from "../../src/fuse/serve.ts";
import { openLog } from "../../src/log/log.ts";
import { newInflight } from "../../src/counters/inflight.ts";
import { Crew } from "../../src/session/crew.ts";
import { NO_FILE_RECORDS } from "../../src/session/file-records.ts";
import { Stage } from "../../src/session/stage.ts";
import { Submounts } from "../../src/session/submounts.ts";
import { takeImage } from "../../src/session/take.ts";

/**
 * `frames.js FD BOOTSTRAP TAR`: one worker answers requests that come through any descriptor that keeps their bounds, as
 * if it were the FUSE device. Prints each exception of a handler once, and at last how the worker ended.
 */
const [device, bootstrap, tar] = process.argv.slice(2);
const log = openLog("warn");
const held = new HeldFiles();
const places = { dirs: [], files: new Map([["1", tar]]) };
const choice = { bootstrap, places, lenient: false, id: "", records: NO_FILE_RECORDS, prefetch: undefined };
const taken = takeImage(choice, held, log);
const fd = Number(device);
const control = newControl(1);
const doing = newInflight(1);
const stage = new Stage({ fd, place: { path: "/" }, control: new Int32Array(control), doing, log });
const submounts = new Submounts({
  limit: 1,
  push: true,
  held,
  stage,
  beforeFree: async () => {},
  beforeChange: () => {},
});
submounts.mountFirst([], taken);
const crew = new Crew(1);
const { handle } = taken.image;
const task = {
  fd,
  control,
  counters: submounts.residents.session,
  doing,
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
const heard = { init: ignore, sequential: ignore, crowded: ignore, busy: ignore, problem };
crew.serve({ task, stage, images: () => submounts.snapshot(), heard, log });
process.stdout.write(`${JSON.stringify(await crew.ended)}\n`);
