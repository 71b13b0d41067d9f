/** How a session, or a worker of it, ended. */
export interface Ended {
  readonly how: "unmounted" | "aborted" | "stopped" | "handed over" | "failed";
  readonly message: string;
}
