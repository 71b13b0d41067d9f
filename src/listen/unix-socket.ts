import { closeSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { MAX_SOCKET_PATH } from "../bytes/limits.ts";
import { openLinkedDirectory } from "../safe-open/own-directory.ts";

/** For the process behind a socket to take a connection; a daemon that is alive does so at once. */
const ANSWER_MS = 2_000;

/**
 * Listens on a unix socket that only its owner may use. What lies there is replaced when it is a socket that
 * no process answers on: a daemon that was killed leaves one. The server removes it when it is closed.
 *
 * @param name what the socket is called in messages
 * @throws OperationalError naming the path
 */
export async function listenAt(server: Server, path: string, name: string): Promise<void> {
  if ((await mustBeFree(path, name)) === "left") unlinkSync(path);
  const before = process.umask(0o177); // from the first moment on; binding happens within this call
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await listening(server, `${name} ${path}`);
}

/** Waits until a server that was told to listen does. @throws OperationalError naming where */
export const listening = (server: Server, where: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error) => reject(new OperationalError(`${where}: ${messageOf(error)}`)));
  });

/**
 * @returns whether a process that is gone has left a socket there
 * @throws OperationalError when it is no path for a socket, a stranger's link leads there, or another process answers there
 */
export async function mustBeFree(path: string, name: string): Promise<"left" | "free"> {
  const length = Buffer.byteLength(path);
  if (length > MAX_SOCKET_PATH)
    throw new OperationalError(`${name} ${path}: ${length} bytes long, want ${MAX_SOCKET_PATH} at most`);
  // Node says "permission denied" of a directory that is not there.
  if (!existsSync(dirname(path))) throw new OperationalError(`${name} ${path}: no such directory`);
  try {
    closeSync(openLinkedDirectory(dirname(path)));
    if (!lstatSync(path).isSocket())
      throw new OperationalError(`${name} ${path}: is there, and is no socket`);
    const answer = await knock(path);
    if (answer !== "ECONNREFUSED")
      throw new OperationalError(
        `${name} ${path}: ${answer === "" ? "another process answers there" : `in use, or not: ${answer}`}`,
      );
    return "left";
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    if (codeOf(error) === "ENOENT") return "free";
    throw new OperationalError(`${name} ${path}: ${messageOf(error)}`);
  }
}

/** @returns "" when a process takes the connection, else why not */
function knock(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const say = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, () => say("no answer"));
    socket.once("connect", () => say(""));
    socket.once("error", (error) => say(codeOf(error)));
  });
}
