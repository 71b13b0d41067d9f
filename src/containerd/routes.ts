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

/** Told of each call that was answered. @param code as gRPC has it */
export type OnCall = (method: string, code: string, ms: number) => void;

/** Makes what answers calls of these services. Whatever an implementation throws is told to the caller. */
export const handlerOf = (routes: (router: ConnectRouter) => void, onCall: OnCall): Handler =>
  connectNodeAdapter({ routes, grpcWeb: false, connect: false, interceptors: [counting(onCall), withCodes] });

const counting =
  (onCall: OnCall): Interceptor =>
  (next) =>
  async (request) => {
    const began = performance.now();
    const answered = (code: string) => onCall(request.method.name, code, performance.now() - began);
    try {
      const response = await next(request);
      answered("OK");
      return response;
    } catch (error) {
      answered(Code[error instanceof ConnectError ? error.code : Code.Unknown]);
      throw error;
    }
  };

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
