import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { scratchDir } from "../support/image.ts";
import type { Frame, Kinds } from "./grafana-types.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TEXT = readFileSync(join(ROOT, "docs/monitoring/dashboard.json"), "utf8");

type Panel = Kinds[keyof Kinds];
const dashboard: Frame & { readonly panels: readonly Panel[] } = JSON.parse(TEXT);

/** What the compiler says of the dashboard against Grafana's types. */
function check(text: string): string {
  const dir = scratchDir();
  const { panels, annotations, ...frame } = JSON.parse(text);
  const all = [
    `export const frame: Frame = ${JSON.stringify(frame)};`,
    ...annotations.list.map((each: unknown) => `annotations.push(${JSON.stringify(each)});`),
    ...panels.map((each: Panel) => `kinds.${each.type} = ${JSON.stringify(each)};`),
  ];
  writeFileSync(
    join(dir, "dashboard.ts"),
    `import type { Annotation, Frame, Kinds } from ${JSON.stringify(join(ROOT, "test/prometheus/grafana-types.ts"))};\ndeclare const kinds: Kinds;\nconst annotations: Annotation[] = [];\n${all.join("\n")}\n`,
  );
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
  symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
  const flags = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--allowImportingTsExtensions",
    "--module",
    "nodenext",
    "--target",
    "es2022",
  ];
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [compiler, ...flags, "dashboard.ts"], { cwd: dir, encoding: "utf8" })
    .stdout;
}

describe("the dashboard, by Grafana's schema", () => {
  it("is right", () => expect(check(TEXT)).toBe(""));

  it.each([
    ["a property that there is not", '"gridPos"', '"gridpos"', /gridpos.*does not exist/],
    [
      "a word that a choice does not have",
      '"lastNotNull"',
      "7",
      /'number' is not assignable to type 'string'/,
    ],
    [
      "a kind of panel that there is not",
      '"type": "timeseries"',
      '"type": "graph2"',
      /'graph2' does not exist/,
    ],
    ["a colour mode that there is not", '"background"', '"backdrop"', /"backdrop"/],
    ["an option of another kind", '"showHeader"', '"graphMode"', /graphMode.*does not exist/],
    ["a query's form that there is not", '"format": "table"', '"format": "tabular"', /"tabular"/],
  ])("%s would be told", (_, right, wrong, said) => {
    expect(TEXT).toContain(right);
    expect(check(TEXT.replace(right, wrong))).toMatch(said);
  });
});

describe("the dashboard", () => {
  const NOWHERE = { x: 24, y: 0, w: 1, h: 1 };
  const red = ({ fieldConfig: { defaults } }: Panel) =>
    defaults.thresholds?.steps.some(({ color }) => color === "red") ?? false;

  it("shows what alerts are about, with a colour where the alert begins", () => {
    const rules = readFileSync(join(ROOT, "docs/monitoring/rules.yml"), "utf8");
    const watched = dashboard.panels.filter(red).flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const alerts = rules.slice(rules.indexOf("nydusd-ts-alerts"));
    const metrics = new Set(alerts.match(/\b(up|(?:tarfs|nydusd|process)_[a-z_]+)\b(?=[{ [)])/g));
    // What a recording rule is made of.
    const meant = [
      ...metrics,
      "tarfs_requests_total",
      "tarfs_request_errors_total",
      "tarfs_request_duration_seconds",
    ];
    const unseen = meant.filter((name) => !watched.some((expr) => expr.includes(name)));
    expect(meant.length).toBeGreaterThan(10);
    expect(unseen).toEqual([]);
  });

  it("has an image to choose, which chooses its daemons", () => {
    const { list = [] } = dashboard.templating;
    expect(list.map(({ name }) => name)).toEqual(["datasource", "image", "instance"]);
    expect(list[2]?.query).toContain('image_ref=~"$image"');
    const byImage = dashboard.panels
      .flatMap(({ targets }) => targets)
      .filter(({ expr }) => expr.includes("$image"));
    expect(byImage.length).toBeGreaterThanOrEqual(7);
  });

  it("has panels that lie beside one another", () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } = NOWHERE }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});
