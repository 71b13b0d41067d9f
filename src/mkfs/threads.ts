import { setTimeout } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { codeOf, FormatError, OperationalError } from "../bytes/errors.ts";

/** A signal, or whoever gives work up, is to end everything within a second. */
const STOP_MS = 500;

/** Said to a thread that builds: it is to end the programs that it has started, and then itself. */
export type Stop = "stop";

/** An error, as far as it outlives the way between threads. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** Of a system error, or of the one that caused it; "" when there is none. */
  readonly code: string;
  /** Of a FormatError. */
  readonly problem?: string;
  readonly where?: { readonly file: string; readonly at: number };
}

/** What a thread says of an error. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "" };
  const { name, message } = error;
  const code = codeOf(error) || codeOf(error.cause);
  return error instanceof FormatError
    ? { name, message, code, problem: error.problem, where: error.where }
    : { name, message, code };
}

/** The error that a thread had, as far as anybody tells errors apart. */
export function errorOf({ name, message, code, problem, where }: Failure): Error {
  if (problem !== undefined && where !== undefined) return new FormatError(problem, where);
  const cause = code === "" ? {} : { cause: Object.assign(new Error(message), { code }) };
  if (name === "OperationalError") return new OperationalError(message, cause);
  return Object.assign(new Error(message, cause), { name });
}

/** Lets a thread end the programs that it started; it is ended itself when that takes too long. */
export async function stopThread(thread: Worker): Promise<void> {
  const exited = new Promise((resolve) => thread.once("exit", resolve));
  thread.postMessage("stop" satisfies Stop);
  await Promise.race([exited, setTimeout(STOP_MS)]);
  await thread.terminate();
}
