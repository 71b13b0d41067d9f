import type { Obstacle } from "../pseudo/pseudo-tree.ts";

/** Why an image cannot be mounted, unmounted or replaced. */
export class MountObstacle extends Error {
  readonly obstacle: Obstacle | "nothing";
  constructor(path: string, obstacle: Obstacle | "nothing") {
    super(`${path}: ${EXPLAINED[obstacle]}`);
    this.obstacle = obstacle;
  }
}

const EXPLAINED: Readonly<Record<Obstacle | "nothing", string>> = {
  taken: "an image is mounted there already",
  above: "lies within the image that is mounted above it",
  below: "images are mounted below it",
  nothing: "no image is mounted there",
};
