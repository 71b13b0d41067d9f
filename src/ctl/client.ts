import { request } from "node:http";
import { explain } from "../api/explain.ts";
import { parseJson } from "../bytes/bounded-json.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";

/** For an answer; a daemon that lives gives it at once. */
const ANSWER_MS = 10_000;

/** Of an answer, by a daemon that may be another's: a million files that were read (nydusd has no bound). */
const MOST = { nesting: 64, values: 1 << 25 };

/** What a daemon said: its answer's JSON, undefined when it has no content. */
export type Answer = unknown;

/** Talks to the management API of a daemon, ours or nydusd. */
export class Client {
  private readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  get = (path: string): Promise<Answer> => this.ask("GET", path);

  /** @param ms longest that the answer may take */
  put = (path: string, body?: object, ms?: number): Promise<Answer> =>
    this.ask("PUT", path, body === undefined ? undefined : JSON.stringify(body), ms);

  post = (path: string, body: object): Promise<Answer> => this.ask("POST", path, JSON.stringify(body));

  delete = (path: string): Promise<Answer> => this.ask("DELETE", path);

  /** @throws OperationalError when no daemon answers, or the answer is an error */
  private async ask(method: string, path: string, body?: string, ms = ANSWER_MS): Promise<Answer> {
    const { socketPath } = this;
    const { status, text } = await send(socketPath, method, path, body, ms).catch((error: unknown) => {
      const problem = codeOf(error) === "ENOENT" ? "no such socket" : messageOf(error);
      throw new OperationalError(
        `${socketPath}: ${codeOf(error) === "ECONNREFUSED" ? "no daemon answers there" : problem}`,
      );
    });
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

function send(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  ms: number,
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
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
        response.on("error", reject);
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${ms / 1000} s`)));
    sent.on("error", reject);
    sent.end(body);
  });
}
