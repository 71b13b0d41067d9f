import type { MakeTarget } from "./target.ts";
import { apiTarget } from "./target-api.ts";
import { archiveTarget } from "./target-archive.ts";
import { bootstrapTarget } from "./target-bootstrap.ts";
import { configTarget } from "./target-config.ts";
import { framesTarget } from "./target-frames.ts";
import { layerTarget } from "./target-layer.ts";
import { listsTarget } from "./target-lists.ts";
import { nbdTarget } from "./target-nbd.ts";
import { stackTarget } from "./target-stack.ts";
import { tarTarget } from "./target-tar.ts";

/** Whatever takes bytes from strangers, by the name that the command line has for it. */
export const TARGETS: ReadonlyMap<string, MakeTarget> = new Map<string, MakeTarget>([
  ["bootstrap", bootstrapTarget],
  ["tar", tarTarget],
  ["stack", stackTarget],
  ["layer", layerTarget],
  ["archive", archiveTarget],
  ["frames", framesTarget],
  ["config", configTarget],
  ["lists", listsTarget],
  ["api", apiTarget],
  ["nbd", nbdTarget],
]);
