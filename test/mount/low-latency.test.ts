import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ask, startFixture } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { perl } from "../support/perl.ts";

const DEVICE = "/dev/cpu_dma_latency";
/** Asks for attributes without end, and looks whether a process of the mount holds the device; or as often in vain. */
const LOOK = `perl -e "$3" "$1" & asking=$!
  held=no
  for i in $(seq "$2"); do
    for pid in $(pgrep -f -- "$1"); do
      if readlink /proc/$pid/fd/* 2>/dev/null | grep -qx ${DEVICE}; then held=yes; break 2; fi
    done
    sleep 0.02
  done
  kill $asking; echo $held`;

describe("while requests come in numbers, CPUs are kept from sleeping", () => {
  needs(existsSync(DEVICE) ? undefined : `no ${DEVICE}`);
  it.each([
    ["on", "2000", "yes"],
    ["off", "50", "no"],
  ])("with --low-latency %s", async (value, looks, held) => {
    const daemon = await startFixture("04-large", ["--low-latency", value]);
    expect((await ask(LOOK, daemon.mountpoint, looks, perl.attributes)).trim()).toBe(held);
    expect(await daemon.stop()).toBe(0);
  });
});
