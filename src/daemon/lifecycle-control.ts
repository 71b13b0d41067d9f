/** What the management API can order of the process that it tells of, beside images. */
export interface LifecycleControl {
  /** See Management.upgrade. @throws StartError */
  upgrade(): Promise<() => void>;
  /** Gives the session to the supervisor. @throws StartError */
  sendDevice(): Promise<void>;
  /** Takes one from there. @throws StartError, FormatError */
  takeOver(): Promise<void>;
  /** Goes on with that. Resolves when requests are answered. */
  start(): Promise<void>;
  /** Ends this process: the mount stays when a supervisor has it. */
  exit(): void;
}
