import { countsIn, sumOf } from "../counters/counters.ts";
import type { EntryChange } from "../pseudo/change.ts";
import type { PseudoTree } from "../pseudo/pseudo-tree.ts";
import type { EntryState, ImageState, ImagesState } from "./snapshot.ts";
import { choiceState } from "./reopen-image.ts";
import type { ImageSlots } from "./image-slots.ts";
import type { ImageInstance, Submount } from "./image-instance.ts";

/** What the images of a session are written down from. */
export interface ImagesNow {
  readonly slots: ImageSlots;
  readonly tree: PseudoTree;
  /** Paths at which images are shown. */
  readonly shown: Iterable<Submount>;
  readonly serial: number;
}

/**
 * What there is now, written down.
 *
 * @param isCounted false: nothing was counted yet, and summing it up would have V8 compile that, 4 MB
 */
export function imagesState({ slots, tree, shown, serial }: ImagesNow, isCounted: boolean): ImagesState {
  const all = slots.all().sort((a, b) => a.placed.serial - b.placed.serial);
  const submounts = [...new Set(all.map(({ submount }) => submount))];
  const seen = new Set([...shown].flatMap((submount) => submount.instances));
  return {
    places: submounts.map(({ names, since, counters }) => ({
      names,
      since: since.getTime(),
      counts: isCounted ? countsIn(sumOf([counters])) : [],
    })),
    images: all.map((instance) =>
      imageState(instance, submounts.indexOf(instance.submount), seen.has(instance)),
    ),
    entries: tree.all().map((entry) => ({ ...entry, name: Buffer.from(entry.name).toString() })),
    ...tree.counted,
    serial,
    burnt: slots.retired,
    counts: isCounted ? countsIn(slots.otherCounts()) : [],
  };
}

function imageState({ placed, pinned, shared }: ImageInstance, place: number, isShown: boolean): ImageState {
  const { slot, serial, rootNode, rootIno, parent, replacement } = placed;
  return {
    ...{ slot, serial, rootNode, rootIno, parent, place, isShown },
    isSuccessor: replacement !== undefined,
    isPushed: shared.board !== undefined,
    choice: choiceState(pinned.choice),
    source: pinned.source,
    isLenient: pinned.choice.lenient,
    // A descriptor means nothing elsewhere, and shared memory is nowhere else.
    files: pinned.image.files.map(({ fd, verity, ...file }) => file),
  };
}

/** Images of one path that go together, the one that was shown last at the end: each but the first replaced the one before. */
export function groupsOf(images: readonly ImageState[]): ImageState[][] {
  const last = new Map<number, ImageState[]>();
  const groups: ImageState[][] = [];
  for (const image of images) {
    let group = last.get(image.place);
    if (group === undefined || !image.isSuccessor) {
      group = [];
      groups.push(group);
      last.set(image.place, group);
    }
    group.push(image);
  }
  return groups;
}

export const entryOf = ({ name, ...rest }: EntryState): EntryChange => ({ ...rest, name: Buffer.from(name) });
