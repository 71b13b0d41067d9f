import type { z } from "zod";
import type { FileRecords } from "../session/file-records.ts";
import { check } from "../config-file/check.ts";
import { isRecord, unknownKeys } from "../config-file/keys.ts";
import { parseText, problem, readText } from "../config-file/text.ts";
import { NO_EFFECT_V1, NO_EFFECT_V2, withoutEffect } from "./config-notes.ts";
import { configV1, configV2, type prefetchSection } from "./config-schema.ts";

/** What a nydusd configuration file means to this daemon. Relative paths are the process's, as in nydusd. */
export interface DaemonConfig {
  /** Where tars are looked for, in order: `dir`, `alt_dirs`, then the cache's `work_dir`; each once. */
  readonly blobDirs: readonly string[];
  /** The file of the only blob, whatever its id; nydusd prefers it to the directories. */
  readonly blobFile: string | undefined;
  /** What it calls the image, "" when it does not. */
  readonly id: string;
  /** The file cache's directory, when named: nydusd opens the tars of a TARFS image there. */
  readonly workDir: string | undefined;
  /** What is recorded of single files. */
  readonly fileRecords: FileRecords;
  /** Undefined when the file does not speak of it. */
  readonly prefetch: ConfigPrefetch | undefined;
  /** One line each, with the file's name: unknown keys and settings without effect here. */
  readonly warnings: readonly string[];
}

/** What nydusd reads ahead. */
export interface ConfigPrefetch {
  readonly enable: boolean;
  /** Everything, after what a list or the image's table names. */
  readonly isAll: boolean;
  /** Bytes a second, 0: no limit. */
  readonly rate: number;
}

/** What both layouts come down to. */
interface Places {
  readonly id: string;
  readonly localfs: {
    readonly dir: string;
    readonly alt_dirs: readonly string[];
    readonly blob_file: string;
  };
  readonly cacheType: string;
  readonly workDir: string | undefined;
  readonly workDirKey: string;
  readonly records: RecordKeys | null | undefined;
  readonly prefetch: ConfigPrefetch | undefined;
  readonly notes: readonly string[];
}

/** Both layouts have these, in different places. */
interface RecordKeys {
  readonly iostats_files?: boolean | undefined;
  readonly access_pattern?: boolean | undefined;
  readonly latest_read_files?: boolean | undefined;
}

/**
 * Reads a nydusd configuration file: version 1 (JSON) or 2 (JSON or TOML).
 *
 * @throws OperationalError in one line: `config PATH: KEY.PATH: what is wrong, what was wanted`
 */
export function readConfig(path: string): DaemonConfig {
  return parseConfig(readText(path), path);
}

/**
 * As `readConfig`, for text that is already here.
 *
 * @param name of the file, for messages; `.json` at its end tells which syntax error to report
 * @throws OperationalError
 */
export function parseConfig(text: string, name: string): DaemonConfig {
  const { data, isToml } = parseText(text, name);
  if (isRecord(data) && "config_v2" in data)
    throw problem(name, "is a blob cache entry, want what is under its config_v2");
  // Version 1 has no `version` key and is never TOML.
  const isV2 = isToml || (isRecord(data) && ("version" in data || "backend" in data));
  const { id, localfs, cacheType, workDir, workDirKey, records, prefetch, notes } = isV2
    ? placesV2(data, name)
    : placesV1(data, name);

  const isFileCache = cacheType === "blobcache" || cacheType === "filecache";
  const unused =
    workDir !== undefined && !isFileCache
      ? [`${workDirKey}: has no effect here: the cache type is ${JSON.stringify(cacheType)}`]
      : [];
  const usedDir = isFileCache ? workDir : undefined;
  const dirs = [localfs.dir, ...localfs.alt_dirs, usedDir ?? ""].filter((dir) => dir !== "");
  return {
    blobDirs: [...new Set(dirs)],
    blobFile: localfs.blob_file || undefined,
    workDir: usedDir,
    id,
    fileRecords: {
      counts: records?.iostats_files ?? false,
      pattern: records?.access_pattern ?? false,
      latest: records?.latest_read_files ?? false,
    },
    prefetch,
    warnings: [...notes, ...unused].map((note) => `config ${name}: ${note}`),
  };
}

function placesV1(data: unknown, name: string): Places {
  const config = check(configV1, data, name);
  const { backend, cache } = config.device;
  return {
    id: config.device.id ?? "",
    localfs: backend.config,
    cacheType: cache.type,
    workDir: cache.config?.work_dir,
    workDirKey: "device.cache.config.work_dir",
    records: config,
    prefetch: config.fs_prefetch && {
      enable: config.fs_prefetch.enable,
      isAll: config.fs_prefetch.prefetch_all,
      rate: config.fs_prefetch.bandwidth_rate ?? 0,
    },
    notes: [...unknownKeys(data, config), ...withoutEffect(NO_EFFECT_V1, config)],
  };
}

function placesV2(data: unknown, name: string): Places {
  const config = check(configV2, data, name);
  return {
    id: config.id ?? "",
    localfs: config.backend.localfs,
    cacheType: config.cache?.type ?? "",
    workDir: config.cache?.filecache?.work_dir,
    workDirKey: "cache.filecache.work_dir",
    records: config.rafs,
    prefetch: prefetchV2([config.rafs?.prefetch, config.cache?.prefetch]),
    notes: [...unknownKeys(data, config), ...withoutEffect(NO_EFFECT_V2, config)],
  };
}

/** Of the file system and of the cache: there is no cache here, and whichever is enabled means the tars. */
function prefetchV2(
  sections: readonly (z.output<typeof prefetchSection> | undefined)[],
): ConfigPrefetch | undefined {
  const given = sections.filter((section) => section !== undefined);
  const section = given.find(({ enable }) => enable) ?? given[0];
  return (
    section && {
      enable: section.enable,
      isAll: section.prefetch_all,
      rate: section.bandwidth_limit ?? 0,
    }
  );
}
