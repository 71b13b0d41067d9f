import { OP_COUNT, opName } from "../src/vfs/opcodes.ts";
import type { Counts } from "./mounted.ts";
import type { Row, Workload } from "./workloads.ts";

/** One workload of one system in one round. */
export interface Sample {
  readonly round: number;
  readonly system: string;
  readonly workload: string;
  /** By row key; also some that have no row of their own. */
  readonly figures: Readonly<Record<string, number>>;
  /** By mount, then by opcode. */
  readonly counts: Readonly<Record<string, Counts>>;
  readonly problem?: string;
}

/** Opcodes that ask nothing, or belong to the session and not to the workload. */
const SILENT = new Set("forget batch_forget interrupt notify_reply init destroy".split(" "));

/** Requests that somebody waited for; counters that are no opcodes are left out. */
export const requests = (counts: Counts): number =>
  Array.from({ length: OP_COUNT }, (_, opcode) => opName(opcode))
    .filter((name) => !SILENT.has(name))
    .reduce((sum, name) => sum + (counts[name] ?? 0), 0);

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * One line a row, one column a system: median [least–most] (ratio to the reference, above 1 is better).
 *
 * @param reference the column that the others are held against
 */
export function table(
  samples: readonly Sample[],
  workloads: ReadonlyMap<string, Workload>,
  systems: readonly string[],
  reference: string,
): string {
  const valuesOf = (system: string, key: string) =>
    samples.filter((s) => s.system === system && key in s.figures).map((s) => s.figures[key]);
  const hasFailed = (system: string, workload: string) =>
    samples.some((s) => s.system === system && s.workload === workload && s.problem !== undefined);

  const cell = (row: Row, workload: string, system: string): string => {
    const values = valuesOf(system, row.key);
    if (values.length === 0) return hasFailed(system, workload) ? "failed" : "–";
    const own = median(values);
    const spread = values.length > 1 ? ` [${show(Math.min(...values))}–${show(Math.max(...values))}]` : "";
    const others = valuesOf(reference, row.key);
    if (system === reference || others.length === 0 || own === 0 || row.unit === "")
      return show(own) + spread;
    const isMoreBetter = row.unit.endsWith("/s");
    const ratio = isMoreBetter ? own / median(others) : median(others) / own;
    return `${show(own)}${spread} (${ratio.toFixed(2)})`;
  };
  const lines = [...workloads].flatMap(([name, { rows }]) =>
    rows.map((row) => {
      const title = row.unit === "" ? row.title : `${row.title}, ${row.unit}`;
      return [title, ...systems.map((system) => cell(row, name, system))];
    }),
  );
  const rule = ["---", ...systems.map(() => "---:")];
  return [["", ...systems], rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Median counts of each mount, most frequent first. */
export function countLines(samples: readonly Sample[]): string[] {
  const mounts = new Map<string, Map<string, number[]>>();
  for (const { system, counts } of samples)
    for (const [mount, record] of Object.entries(counts)) {
      const key = `${system}, ${mount}`;
      const byName = mounts.get(key) ?? new Map<string, number[]>();
      mounts.set(key, byName);
      for (const [name, n] of Object.entries(record)) byName.set(name, [...(byName.get(name) ?? []), n]);
    }
  return [...mounts].map(([mount, byName]) => {
    const medians = [...byName].map(([name, values]) => [name, median(values)] as const);
    const sorted = medians.toSorted((a, b) => b[1] - a[1]);
    return `- ${mount}: ${sorted.map(([name, n]) => `${name} ${Math.round(n)}`).join(", ")}`;
  });
}

/** Three significant digits, no exponent. */
function show(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toString();
  return Number(value.toPrecision(3)).toString();
}
