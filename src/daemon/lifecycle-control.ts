/** What the management API can order of the process that it tells of, beside images. */
export interface LifecycleControl {
  /** See Management.upgrade. @throws OperationalError */
  upgrade(): Promise<() => void>;
  /** Gives the session to the supervisor. @throws OperationalError */
  sendDevice(): Promise<void>;
  /** Takes one from there. @throws OperationalError, FormatError */
  takeOver(): Promise<void>;
  /** Goes on with that. Resolves when requests are answered. */
  start(): Promise<void>;
  /** Ends this process: the mount stays when a supervisor has it. */
  exit(): void;
}
