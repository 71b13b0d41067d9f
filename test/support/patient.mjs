// Loaded into a daemon with --import: what it would do after five seconds and more it never does, so that a test sees
// what it does at once without looking at a clock.
const LONG_MS = 5_000;
const { setTimeout: after } = globalThis;
globalThis.setTimeout = (callback, ms, ...rest) => after(callback, ms >= LONG_MS ? 2 ** 31 - 1 : ms, ...rest);
