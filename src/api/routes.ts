import { z } from "zod";
import { messageOf } from "../bytes/errors.ts";
import { type Management, NoSuchLevel, statusOf } from "./management.ts";

/** What a request answers. Without content it is 204. */
export interface Answer {
  readonly status: number;
  readonly content?: unknown;
  /** Done once the answer is on its way. */
  readonly after?: () => void;
}

/** One operation. A body that is there and should not be, or the other way round, is refused before. */
export interface Route {
  readonly method: "GET" | "PUT";
  readonly path: string;
  readonly takesBody: boolean;
  answer(management: Management, query: URLSearchParams, body: Buffer): Answer;
}

export const problem = (status: number, message: string): Answer => ({
  status,
  content: { code: "UNDEFINED", message },
});
export const NO_ROUTE = problem(404, "NoRoute");
export const BAD_REQUEST = problem(400, "BadRequest");

const found = (content: unknown): Answer => ({ status: 200, content });
const DONE: Answer = { status: 204 };

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

const order = (path: string, give: (management: Management) => Answer): Route => ({
  method: "PUT",
  path,
  takesBody: false,
  answer: (management) => wrapped("Configure", () => give(management)),
});

function wrapped(wrapper: Wrapper, work: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    return problem(statusOf(error), `${wrapper}(${messageOf(error)})`);
  }
}

const configure = (path: string): Route => ({
  method: "PUT",
  path,
  takesBody: true,
  answer: (management, _, body) => {
    let level: string;
    try {
      level = z.object({ log_level: z.string() }).parse(JSON.parse(body.toString())).log_level;
    } catch (error) {
      const said =
        error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : messageOf(error);
      return problem(400, `ParseBody(Error(${JSON.stringify(said)}))`);
    }
    return wrapped("Configure", () => {
      if (!management.setLogLevel(level)) throw new NoSuchLevel();
      return DONE;
    });
  },
});

const id = (query: URLSearchParams) => query.get("id") ?? undefined;

/** Everything that is served. */
export const ROUTES: readonly Route[] = [
  get("/api/v1/daemon", "DaemonInfo", (m) => m.info()),
  configure("/api/v1/daemon"),
  get("/api/v2/daemon", "DaemonInfo", (m) => ({ ...m.info(), backend_collection: null })),
  configure("/api/v2/daemon"),
  get("/api/v1/daemon/events", "Events", (m) => m.events()),
  order("/api/v1/daemon/start", (m) => {
    m.start();
    return DONE;
  }),
  order("/api/v1/daemon/exit", (m) => ({ ...DONE, after: m.exit() })),
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
