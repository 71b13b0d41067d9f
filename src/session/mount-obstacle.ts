import type { Obstacle } from "../pseudo/pseudo-tree.ts";

/** Why an image cannot be mounted, unmounted or replaced. */
export class MountObstacle extends Error {
  readonly obstacle: Obstacle | "not mounted";
  constructor(path: string, obstacle: Obstacle | "not mounted") {
    super(`${path}: ${EXPLAINED[obstacle]}`);
    this.obstacle = obstacle;
  }
}

const EXPLAINED: Readonly<Record<Obstacle | "not mounted", string>> = {
  taken: "an image is mounted there already",
  above: "lies within the image that is mounted above it",
  below: "images are mounted below it",
  "not mounted": "no image is mounted there",
};
