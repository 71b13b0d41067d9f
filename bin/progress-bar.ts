import { SingleBar } from "cli-progress";
import { mib, type ProgressView } from "./progress.ts";

const DRAW_MS = 100;

export const bar: ProgressView = (state) => {
  const drawn = new SingleBar({
    format:
      "{bar} {percentage}% | {done} of {all} | layer {layer} of {layers} | {rate}/s | {eta_formatted} left",
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false, // a signal is for us to see
    barsize: 24,
  });
  const payload = () => ({
    done: mib(state.done()),
    all: mib(state.total),
    layer: Math.min(state.ready + 1, state.layers),
    layers: state.layers,
    rate: mib(state.rate()),
  });
  // How much will come through a pipe is unknown.
  drawn.start(state.total || 1, 0, payload());
  const draw = () => drawn.update(Math.min(state.done(), state.total), payload());
  const timer = setInterval(draw, DRAW_MS);
  return (isOver) => {
    draw();
    if (!isOver) return;
    clearInterval(timer);
    drawn.stop();
  };
};
