/** A place in a file, in bytes. */
export interface Where {
  readonly file: string;
  readonly at: number;
}

/** The image breaks its own format. Operating error: report it; never crash the daemon. */
export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly where: Where;
  readonly problem: string;

  constructor(problem: string, where: Where, options?: ErrorOptions) {
    super(`${where.file} @0x${where.at.toString(16)}: ${problem}`, options);
    this.where = where;
    this.problem = problem;
  }
}

/** The world is not as an operation needs it, at the start or later: one line that names the thing and what to do. Exit status 1. */
export class OperationalError extends Error {
  override readonly name = "OperationalError";
  readonly problem: string;
  /** What helps, in options of the command line: who hands it on to somebody else leaves that out. */
  readonly advice: string | undefined;

  constructor(problem: string, { advice, ...options }: ErrorOptions & { readonly advice?: string } = {}) {
    super(advice === undefined ? problem : `${problem}; ${advice}`, options);
    this.problem = problem;
    this.advice = advice;
  }
}

/** The command line or a configuration file asks for something that cannot be: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The `code` of a Node system error (`ENOENT`, `EACCES`, …), or "" when it is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The same without what helps. */
export const problemOf = (error: unknown): string =>
  error instanceof OperationalError ? error.problem : messageOf(error);

/** What helps, for an error that says more of the same problem. */
export const adviceOf = (error: unknown): { readonly advice?: string } =>
  error instanceof OperationalError && error.advice !== undefined ? { advice: error.advice } : {};
