/**
 * A descriptor that is only a place: opening for reading waits at a fifo, and does who knows what to a device. Linux has
 * this value on every machine that Node runs on; Node has no name for it.
 */
export const O_PATH = 0o10000000;
