import { z } from "zod";
import { parseJson } from "../bytes/bounded-json.ts";
import { messageOf } from "../bytes/errors.ts";
import { explain } from "./explain.ts";
import { type Management, MountFailed, NoSuchLevel, refusalOf } from "./management.ts";

/** What a request answers. Without content it is 204. */
export interface Answer {
  readonly status: number;
  readonly content?: unknown;
  /** Done once the answer is on its way. */
  readonly after?: () => void;
}

/** One operation. A body that is there and should not be, or the other way round, is refused before. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly takesBody: boolean;
  answer(management: Management, query: URLSearchParams, body: Buffer): Answer | Promise<Answer>;
}

/** Beside nydusd's code and message: what it means, in people's words. */
export const problem = (status: number, message: string, explanation = explain(message)): Answer => ({
  status,
  content: { code: "UNDEFINED", message, explanation },
});
export const NO_ROUTE = problem(404, "NoRoute");
export const BAD_REQUEST = problem(400, "BadRequest");

const found = (content: unknown): Answer => ({ status: 200, content });
const DONE: Answer = { status: 204 };
const MOUNT_PATH = "/api/v1/mount";
const RAFS = "rafs";

/** What the name of an operation is in nydusd's errors, which are wrapped in it. */
type Wrapper = string;

const get = (
  path: string,
  wrapper: Wrapper,
  content: (management: Management, query: URLSearchParams) => unknown,
): Route => ({
  method: "GET",
  path,
  takesBody: false,
  answer: (management, query) => wrapped(wrapper, () => found(content(management, query))),
});

const order = (path: string, give: (management: Management) => Answer | Promise<Answer>): Route => ({
  method: "PUT",
  path,
  takesBody: false,
  answer: (management) => wrapped("Configure", () => give(management)),
});

function wrapped<T extends Answer | Promise<Answer>>(
  wrapper: Wrapper,
  work: () => T,
): Answer | Promise<Answer> {
  const failed = (error: unknown) => {
    const { status, explanation } = refusalOf(error);
    return problem(status, `${wrapper}(${messageOf(error)})`, explanation);
  };
  try {
    const answer = work();
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}

/** @returns what is wrong with the body, naming the field; else what `use` answers */
function parsed<T>(
  schema: z.ZodType<T>,
  body: Buffer,
  use: (value: T) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  let value: T;
  try {
    value = schema.parse(parseJson(body));
  } catch (error) {
    const said =
      error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : messageOf(error);
    return problem(400, `ParseBody(Error(${JSON.stringify(said)}))`, `the body: ${said}`);
  }
  return use(value);
}

const CONFIGURATION = z.object({ log_level: z.string() });

const configure = (path: string): Route => ({
  method: "PUT",
  path,
  takesBody: true,
  answer: (management, _, body) =>
    parsed(CONFIGURATION, body, ({ log_level }) =>
      wrapped("Configure", () => {
        if (!management.setLogLevel(log_level)) throw new NoSuchLevel(log_level);
        return DONE;
      }),
    ),
});

/** nydusd's clients send `null` for what they have not. */
const MOUNT = z.object({
  fs_type: z.string().default(RAFS),
  source: z.string(),
  config: z.string().nullish(),
  prefetch_files: z.array(z.string()).nullish(),
});

/** What shows an image at the path that the query names. */
const mounting = (method: "POST" | "PUT", give: "mount" | "remount"): Route => ({
  method,
  path: MOUNT_PATH,
  takesBody: true,
  answer: (management, query, body) =>
    atMountpoint(query, (path) =>
      parsed(MOUNT, body, ({ fs_type, source, config, prefetch_files }) =>
        wrapped("Mount", async () => {
          if (fs_type !== RAFS)
            throw new MountFailed(
              `invalid argument \`only 'rafs' is supported, but ${fs_type} was specified\``,
            );
          await management[give](path, {
            source,
            config: config ?? "",
            prefetchFiles: prefetch_files ?? undefined,
          });
          return DONE;
        }),
      ),
    ),
});

function atMountpoint(
  query: URLSearchParams,
  use: (path: string) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  const path = query.get("mountpoint");
  return path === null
    ? problem(400, `QueryString("'mountpoint' should be specified in query string")`)
    : use(path);
}

const id = (query: URLSearchParams) => query.get("id") ?? undefined;

/** Everything that is served. */
export const ROUTES: readonly Route[] = [
  get("/api/v1/daemon", "DaemonInfo", (m) => m.info()),
  configure("/api/v1/daemon"),
  get("/api/v2/daemon", "DaemonInfo", (m) => ({ ...m.info(), backend_collection: null })),
  configure("/api/v2/daemon"),
  get("/api/v1/daemon/events", "Events", (m) => m.events()),
  order("/api/v1/daemon/start", async (m) => {
    await m.start();
    return DONE;
  }),
  order("/api/v1/daemon/fuse/sendfd", async (m) => {
    await m.sendDevice();
    return DONE;
  }),
  order("/api/v1/daemon/fuse/takeover", async (m) => {
    await m.takeOver();
    return DONE;
  }),
  order("/api/v1/daemon/upgrade", async (m) => ({ ...DONE, after: await m.upgrade() })),
  order("/api/v1/daemon/exit", (m) => ({ ...DONE, after: m.exit() })),
  mounting("POST", "mount"),
  mounting("PUT", "remount"),
  {
    method: "DELETE",
    path: MOUNT_PATH,
    takesBody: false,
    answer: (m, query) =>
      atMountpoint(query, (path) =>
        wrapped("Mount", async () => {
          await m.unmount(path);
          return DONE;
        }),
      ),
  },
  get("/api/v1/metrics", "GlobalMetrics", (m, query) => m.instance(id(query)).fsStats()),
  get("/api/v1/metrics/files", "FsFilesMetrics", (m, query) => {
    const instance = m.instance(id(query));
    return query.get("latest") === "true" ? instance.latestFiles() : instance.files();
  }),
  get("/api/v1/metrics/pattern", "Pattern", (m, query) => m.instance(id(query)).pattern()),
  get("/api/v1/metrics/backend", "BackendMetrics", (m, query) => m.instance(id(query)).backend()),
  get("/api/v1/metrics/blobcache", "BlobcacheMetrics", (m, query) => m.instance(id(query)).cache()),
  {
    method: "GET",
    path: "/api/v1/metrics/inflight",
    takesBody: false,
    answer: (m) =>
      wrapped("InflightMetrics", () => {
        const requests = m.inflight();
        return requests.length === 0 ? DONE : found(requests);
      }),
  },
];
