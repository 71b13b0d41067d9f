import { request } from "node:http";
import { explain } from "../api/explain.ts";
import { parseJson } from "../bytes/bounded-json.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";

/** For an answer to begin, and to go on; a daemon that lives gives it at once. */
const ANSWER_MS = 10_000;
/** For all of a long one, once it may have begun: whoever says a byte now and then is waited for no longer. */
const WHOLE_MS = 60_000;

/** Of an answer, by a daemon that may be another's: a million files that were read (nydusd has no bound). */
const MOST = { nesting: 64, values: 1 << 25 };
const MOST_BYTES = 1 << 28;

/** What a daemon said: its answer's JSON, undefined when it has no content. */
export type Answer = unknown;

/** Talks to the management API of a daemon, ours or nydusd. */
export class Client {
  private readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  get = (path: string): Promise<Answer> => this.ask("GET", path);

  /** @param ms until the answer begins, and between two parts of it @param more until it ends */
  put = (path: string, body?: object, ms?: number, more?: number): Promise<Answer> =>
    this.ask("PUT", path, body === undefined ? undefined : JSON.stringify(body), ms, more);

  post = (path: string, body: object): Promise<Answer> => this.ask("POST", path, JSON.stringify(body));

  delete = (path: string): Promise<Answer> => this.ask("DELETE", path);

  /** @throws OperationalError when no daemon answers, or the answer is an error */
  private async ask(
    method: string,
    path: string,
    body?: string,
    ms = ANSWER_MS,
    more = WHOLE_MS,
  ): Promise<Answer> {
    const { socketPath } = this;
    const { status, text } = await send(socketPath, { method, path, body, ms, more }).catch(
      (error: unknown) => {
        const problem = codeOf(error) === "ENOENT" ? "no such socket" : messageOf(error);
        throw new OperationalError(
          `${socketPath}: ${codeOf(error) === "ECONNREFUSED" ? "no daemon answers there" : problem}`,
        );
      },
    );
    const content = text === "" ? undefined : parse(text, `${socketPath}: ${method} ${path}`);
    if (status >= 200 && status < 300) return content;
    const { message = text, explanation } = (content ?? {}) as { message?: unknown; explanation?: unknown };
    const meaning = explanation ?? explain(`${message}`); // nydusd gives none
    throw new OperationalError(`${socketPath}: ${meaning} (${method} ${path}: ${status} ${message})`);
  }
}

function parse(text: string, where: string): unknown {
  try {
    return parseJson(Buffer.from(text), MOST);
  } catch {
    throw new OperationalError(`${where}: the answer is no JSON: ${text.slice(0, 100)}`);
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly ms: number;
  readonly more: number;
}

function send(
  socketPath: string,
  { method, path, body, ms, more }: Asked,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const sent = request(
      { socketPath, method, path: `/api/${path}`, headers, agent: false, timeout: ms },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > MOST_BYTES) sent.destroy(new Error(`the answer is longer than ${MOST_BYTES} bytes`));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
        response.on("error", reject);
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${ms / 1000} s`)));
    const whole = ms + more;
    const end = () => sent.destroy(new Error(`no end of the answer in ${whole / 1000} s`));
    const timer = setTimeout(end, whole);
    sent.on("close", () => clearTimeout(timer));
    sent.on("error", reject);
    sent.end(body);
  });
}
