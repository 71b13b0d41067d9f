/** Words that the main thread and the workers of a session share. */
export const CONTROL = {
  /** 1: each worker ends at its next request. */
  STOP: 0,
  /** 1 while the main thread samples how many requests come; a worker that finds 0 reports that they do. */
  RATE_WATCHED: 1,
  /** 1 from a report of contention on, until the pool can grow again. */
  CONTENTION_REPORTED: 2,
  /** Number of the last change of the session's images: a worker that is behind applies them before its next reply. */
  EPOCH: 3,
  /** Whether READs that stall are looked for: a STALL_WATCH. */
  STALL_WATCH: 4,
  /** How many overflow workers are to end at their next request. */
  RETIRE: 5,
  /** Held while an overflow worker counts in the row that all of them share. */
  COUNTER_MUTEX: 6,
  /** 1 while each request and reply is to be logged, see request-tracer. */
  TRACE: 7,
  /** Lines of these that the main thread has not logged yet, and requests that were left out for there were too many. */
  TRACE_WAITING: 8,
  TRACE_LEFT_OUT: 9,
} as const;

/** States of CONTROL.STALL_WATCH. A worker that finds the monitor asleep wakes it with its READ. */
export const STALL_WATCH = { ASLEEP: 0, READ_CAME: 1, NO_READ: 2 } as const;

/** Behind them, two words a worker. */
const WORKERS_AT = 10;
const WORKER_WORDS = 2;

/** The change that a worker has applied last. */
export const epochWord = (worker: number): number => WORKERS_AT + WORKER_WORDS * worker;
/** 1 while a worker answers a request. */
export const busyWord = (worker: number): number => epochWord(worker) + 1;

/** @param workers most that there will be */
export const newControl = (workers: number): SharedArrayBuffer =>
  new SharedArrayBuffer(4 * (WORKERS_AT + WORKER_WORDS * workers));
