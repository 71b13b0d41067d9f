import { invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { EntryChange } from "../pseudo/change.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";

/** Names of virtual directories that lead elsewhere. */
export const changed = (entries: readonly EntryChange[]): Buffer[] =>
  entries.flatMap(({ directory, name }) => [
    invalidateEntry(directory, name),
    invalidateDirectory(directory),
  ]);

/** Names of the session's root that may lead elsewhere, and the root itself is another. */
export const renamed = (names: readonly Uint8Array[]): Buffer[] => [
  ...names.map((name) => invalidateEntry(ROOT_NODE, name)),
  invalidateDirectory(ROOT_NODE),
];
