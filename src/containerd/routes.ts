import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { messageOf } from "../bytes/errors.ts";
import { Refusal, type RefusalKind } from "./refusal.ts";
import type { Handler } from "./server.ts";

const CODES: Readonly<Record<RefusalKind, Code>> = {
  "not found": Code.NotFound,
  "already exists": Code.AlreadyExists,
  "failed precondition": Code.FailedPrecondition,
  "invalid argument": Code.InvalidArgument,
  unimplemented: Code.Unimplemented,
  unavailable: Code.Unavailable,
  "resource exhausted": Code.ResourceExhausted,
  canceled: Code.Canceled,
};

/** Makes what answers calls of these services. Whatever an implementation throws is told to the caller. */
export const handlerOf = (routes: (router: ConnectRouter) => void): Handler =>
  connectNodeAdapter({ routes, grpcWeb: false, connect: false, interceptors: [withCodes] });

const withCodes: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw codedOf(error);
  }
};

function codedOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof Refusal) return new ConnectError(error.message, CODES[error.kind]);
  return new ConnectError(messageOf(error), Code.Internal);
}
