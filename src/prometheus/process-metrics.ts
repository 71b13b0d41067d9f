import { readdirSync } from "node:fs";
import { addCounter, addGauge, type Registry } from "./metric.ts";

/**
 * What every process tells. prom-client's own come all together, with observers of the event loop and of garbage
 * collection that cost something all the time; these cost nothing until they are asked for.
 *
 * @param maxFds descriptors that the process may have open
 */
export function addProcessMetrics(registry: Registry, maxFds: () => number): void {
  const started = performance.timeOrigin / 1000;
  const cpu = { name: "process_cpu_seconds_total", help: "User and system CPU time of all threads." };
  addCounter(registry, cpu, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  const memory = { name: "process_resident_memory_bytes", help: "Resident memory." };
  addGauge(registry, memory, () => process.memoryUsage.rss());
  const open = { name: "process_open_fds", help: "Open file descriptors." };
  addGauge(registry, open, () => readdirSync("/proc/self/fd").length - 1); // one of them lists the others
  const most = { name: "process_max_fds", help: "File descriptors that may be open." };
  addGauge(registry, most, maxFds);
  const start = { name: "process_start_time_seconds", help: "When the process started, since 1970." };
  addGauge(registry, start, () => started);
}
