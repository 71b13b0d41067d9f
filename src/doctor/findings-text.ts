import { shown } from "../bytes/escape-control-chars.ts";
import type { Finding } from "./finding.ts";

/** A line a finding, and one below it for what to change. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .flatMap(({ name, state, found, advice }) => [
      `${state.padEnd(8)} ${name.padEnd(width)}  ${shown(found)}`,
      ...(advice === undefined ? [] : [`${" ".repeat(width + 9)}  -> ${shown(advice)}`]),
    ])
    .join("\n");
}
