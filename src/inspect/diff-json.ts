import type { ChangeTally } from "../layers/change-tally.ts";
import type { ShownChange } from "./diff-text.ts";
import { attributesRecord } from "./explain-json.ts";
import { nameField } from "./name-field.ts";

/** For programs: a change. */
export function changeRecord({ letter, path, before, after, changed, data, whole }: ShownChange): object {
  return {
    status: letter,
    ...nameField("path", path),
    ...(before === undefined ? {} : { before: attributesRecord(before) }),
    ...(after === undefined ? {} : { after: attributesRecord(after) }),
    ...(before === undefined || after === undefined ? {} : { changed }),
    ...(data === undefined ? {} : { data }),
    ...(whole === undefined ? {} : { entries: whole.entries, bytes: whole.bytes }),
  };
}

/** The last line: what was found, in numbers. */
export const tallyRecord = (tally: ChangeTally): object => ({
  summary: {
    ...{ added: tally.added, added_bytes: tally.addedBytes },
    ...{ removed: tally.removed, removed_bytes: tally.removedBytes },
    ...{ changed: tally.changed, metadata: tally.metadata, type: tally.type },
    ...{ unread: tally.unread, believed: tally.believed },
  },
});
