import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

const lint = (input: string) => {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
  return { status, said: stdout + stderr };
};
const sampleOf = (text: string, series: string): number | undefined => {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};
const OURS = "tarfs_snapshotter_";
/** Alerts are about what there is. */
const RULES = new URL("../../docs/containers/rules.yml", import.meta.url);

describe.each(ENGINES)("metrics with $name", (engine) => {
  needs(NO_CONTAINERS);

  it("tell what was done and what is there; promtool has nothing to say", async () => {
    const registry = await startRegistry();
    const name = registry.add("test/image", threeLayers());
    const { containerd, snapshotter } = await startBoth(engine, {}, ["--metrics-address", "0"]);
    const at = `http://${/ metrics=(\S+)/.exec(snapshotter.log())?.[1]}`;
    const get = async (path: string) => (await fetch(at + path)).text();
    expect(lint(await get("/metrics"))).toEqual({ status: 0, said: "" });
    await containerd.ask("image", "pull", "--plain-http", "--snapshotter", "tarfs", name);
    await containerd.ask("run", "--detach", "--snapshotter", "tarfs", name, "one", "/bin/sleep", "1000");
    const text = await get("/metrics");
    expect(lint(text)).toEqual({ status: 0, said: "" });
    const named = readFileSync(RULES, "utf8").match(/tarfs_snapshotter_[a-z_]+/g) ?? [];
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(text).toContain(`\n# TYPE ${name.replace(/_count$/, "")} `);
    const ours = (series: string) => sampleOf(text, OURS + series);
    expect(ours('layers_total{result="stored"}')).toBe(3);
    expect(ours('phase_duration_seconds_count{phase="convert"}')).toBe(3);
    // More than one where a layer comes so late that those below were taken for an image.
    expect(ours('phase_duration_seconds_count{phase="merge"}')).toBeGreaterThanOrEqual(1);
    expect(ours('phase_duration_seconds_count{phase="mount"}')).toBe(1);
    expect(ours('call_duration_seconds_count{method="Apply",code="OK"}')).toBe(3);
    expect(ours("stored_layers")).toBe(3);
    expect(ours("merged_images")).toBe(ours('phase_duration_seconds_count{phase="merge"}'));
    expect(ours('mounted_images{type="erofs"}')).toBe(1);
    expect(ours('snapshots{kind="committed"}')).toBe(3);
    expect(ours('snapshots{kind="active"}')).toBe(1);
    expect(ours("conversions_running")).toBe(0);
    expect(ours("tar_bytes_total")).toBe(ours('stored_bytes{kind="tars"}'));
    const theirs = await get("/v1/metrics");
    const elapsed = 'snapshotter_snapshot_operation_elapsed_milliseconds_count{snapshot_operation="PREPARE"}';
    expect(sampleOf(theirs, elapsed)).toBeGreaterThanOrEqual(4);
    expect(sampleOf(theirs, "snapshotter_cache_usage_kilobytes")).toBeGreaterThan(1);
    expect(await get("/healthz")).toBe("ok\n");
    expect(await get("/readyz")).toBe("serving\n");
    await containerd.ask("task", "rm", "--force", "one");
    await containerd.ask("container", "rm", "one");
    await containerd.ask("image", "rm", "--sync", name);
    const after = await get("/metrics");
    expect(sampleOf(after, `${OURS}stored_layers`)).toBe(0);
    expect(sampleOf(after, `${OURS}freed_bytes_total`)).toBeGreaterThan(100_000);
    expect(sampleOf(after, `${OURS}phase_duration_seconds_count{phase="clean-up"}`)).toBeGreaterThan(0);
  });
});
