import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Daemon, type Finished, launch, startFixture, workDir } from "./daemon.ts";

const CTL = fileURLToPath(new URL("../../dist/bundle/nydusctl-ts.js", import.meta.url));

/** A daemon that serves a fixture, and its API. */
export interface Managed extends Daemon {
  readonly sock: string;
}

export async function startManaged(name = "04-large", ...args: string[]): Promise<Managed> {
  const sock = join(workDir(), "api.sock");
  return { ...(await startFixture(name, ["--apisock", sock, ...args])), sock };
}

/** An answer of the API. */
export interface Said {
  readonly status: number;
  readonly server: unknown;
  readonly type: string | undefined;
  readonly text: string;
}

/** @param line `GET /path` */
export function say(sock: string, line: string, body?: string, headers = {}): Promise<Said> {
  const [method, path] = line.split(" ");
  // Node says no length for a DELETE, whose body would then be taken for another request.
  const sized = body === undefined ? headers : { "Content-Length": Buffer.byteLength(body), ...headers };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: sock, method, path, headers: sized, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          server: response.headers["server"],
          type: response.headers["content-type"],
          text,
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The JSON of a GET. */
export async function get<T>(sock: string, path: string): Promise<T> {
  const { status, text } = await say(sock, `GET ${path}`);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return JSON.parse(text) as T;
}

/** Runs `nydusctl-ts`, or another command in its place, to its end. */
export function ctl(
  args: readonly string[],
  command: readonly string[] = [process.execPath, CTL],
): Promise<Finished> {
  const child = launch(command[0], [...command.slice(1), ...args]);
  child.stdin.end();
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      out[name] += chunk;
    });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...out }));
  });
}
