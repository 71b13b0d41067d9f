import { isRecord } from "../config-file/keys.ts";

/** A setting that nydusd acts on and this daemon does not: key, the value that asks for nothing, why. */
type NoEffect = readonly [key: string, idle: unknown, why: string];

const AS_ASKED = "each read is as long as the kernel asks for";
const NO_CACHE = "nothing is cached, the tars are read where they are";
const IN_PLACE = "metadata is always read in place";
const ONE_BACKEND = "all blobs come from localfs";
const DEFAULT_BATCH = 1024 * 1024;

export const NO_EFFECT_V1: readonly NoEffect[] = [
  ["device.external_backends", undefined, ONE_BACKEND],
  ["device.cache.config.disable_indexed_map", false, NO_CACHE],
  ["device.cache.config.enable_encryption", false, NO_CACHE],
  ["device.cache.config.enable_convergent_encryption", false, NO_CACHE],
  ["mode", "direct", IN_PLACE],
  ["amplify_io", DEFAULT_BATCH, AS_ASKED],
];

export const NO_EFFECT_V2: readonly NoEffect[] = [
  ["backend.localdisk", undefined, ONE_BACKEND],
  ["backend.oss", undefined, ONE_BACKEND],
  ["backend.s3", undefined, ONE_BACKEND],
  ["backend.registry", undefined, ONE_BACKEND],
  ["backend.http-proxy", undefined, ONE_BACKEND],
  ["external_backends", undefined, ONE_BACKEND],
  ["cache.filecache.disable_indexed_map", false, NO_CACHE],
  ["cache.filecache.enable_encryption", false, NO_CACHE],
  ["cache.filecache.enable_convergent_encryption", false, NO_CACHE],
  ["cache.fscache", undefined, NO_CACHE],
  ["rafs.mode", "direct", IN_PLACE],
  ["rafs.batch_size", DEFAULT_BATCH, AS_ASKED],
];

/** The settings of `table` that ask for something. One that is absent or idle is not worth a line. */
export function withoutEffect(table: readonly NoEffect[], config: unknown): string[] {
  return table
    .filter(([key, idle]) => {
      const value = valueAt(config, key);
      return value != null && value !== idle && !(Array.isArray(value) && value.length === 0);
    })
    .map(([key, , why]) => `${key}: has no effect here: ${why}`);
}

function valueAt(config: unknown, key: string): unknown {
  let value = config;
  for (const part of key.split(".")) value = isRecord(value) ? value[part] : undefined;
  return value;
}
