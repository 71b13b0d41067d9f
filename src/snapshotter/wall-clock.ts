/** Of `performance.now()`, in ms since 1970; the system's time may be set meanwhile. */
let origin = performance.timeOrigin;

/** ms since 1970 to parts of a millisecond: containerd compares times with its own, which have nanoseconds. */
export function now(): number {
  const wall = Date.now();
  const time = origin + performance.now();
  if (time >= wall && time < wall + 1) return time;
  origin += wall - time;
  return wall;
}
