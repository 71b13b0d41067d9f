/**
 * For scripts of bash: `wait_for COMMAND…` returns when the command succeeds, or when what was started last in the background
 * has ended, of which nothing more will come. However long that takes: a busy machine is no error. What a command looks at may not
 * be there yet.
 */
export const WAIT_FOR =
  'wait_for() { until "$@" 2>/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.05; done; }';
