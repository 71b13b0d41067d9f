import { LATENCY_BOUNDS, type OpcodeTotals, opcodeTotals } from "../counters/counters.ts";
import { opName } from "../vfs/opcodes.ts";
import { addCounter, addGauge, addHistogram, type Registry } from "./metric.ts";
import type { Snapshot } from "./snapshot.ts";

const labels = ["operation"];

/** What was asked, how it ended and how long it took, by operation. */
export function addOperationMetrics(registry: Registry, snapshot: Snapshot): void {
  const each = (value: (totals: OpcodeTotals) => number) => (): [number, { operation: string }][] =>
    opcodeTotals(snapshot.counts).map((totals) => [value(totals), { operation: opName(totals.opcode) }]);

  const requests = { name: "tarfs_requests_total", help: "Requests that arrived from the kernel.", labels };
  addCounter(
    registry,
    requests,
    each((totals) => totals.requests),
  );
  const errors = {
    name: "tarfs_request_errors_total",
    help: "Answers with an error other than: there is none, ask no more, does not fit.",
    labels,
  };
  addCounter(
    registry,
    errors,
    each((totals) => totals.errors),
  );
  const durations = {
    name: "tarfs_request_duration_seconds",
    help: "Time from the arrival of a request to the end of its answer.",
    labels,
  };
  const bounds = LATENCY_BOUNDS.map((us) => us / 1e6);
  addHistogram(registry, durations, bounds, () =>
    opcodeTotals(snapshot.counts).map(({ opcode, latencies, latencySum }) => ({
      labels: { operation: opName(opcode) },
      counts: latencies,
      sum: latencySum / 1e6,
    })),
  );
  const now = { name: "tarfs_requests_inflight", help: "Requests that workers are answering.", labels };
  addGauge(registry, now, () => {
    const all = snapshot.mount.inflight();
    return each(({ opcode }) => all.filter((one) => one.opcode === opcode).length)();
  });
}
