/**
 * Opens a path and nothing that it leads to: opening for reading waits at a fifo, and may make a device do something.
 * Linux has this value on every machine that Node runs on; Node has no name for it.
 */
export const O_PATH = 0o10000000;
