import { child, list, rootOf, type WalkEntry } from "../fs/walk.ts";
import { isDirectory } from "./attr.ts";
import { entryText, USAGE } from "./inspect-text.ts";
import { showInode, listPrefetch, showChunk, statFile } from "./inspect-tree.ts";
import type { ImageView } from "./image-view.ts";
import { blobRows, blobsText, statsText } from "./tables-text.ts";

/** What a command comes to: something to print, the end, or a complaint, which is an error in request mode. */
export type Outcome =
  | { readonly kind: "answer"; readonly text: string; readonly json: unknown }
  | { readonly kind: "exit" }
  | { readonly kind: "wrong"; readonly text: string; readonly problem: string };

/** From the root to a directory or file, each in the one before it. */
type Trail = readonly [root: WalkEntry, ...rest: WalkEntry[]];
const end = (trail: Trail): WalkEntry => trail.at(-1) ?? trail[0];

const encoder = new TextEncoder();

/** The commands of `inspect` and the directory they are about; wording and JSON are nydus-image's. */
export class Inspector {
  private readonly view: ImageView;
  private readonly isRequest: boolean;
  /** From the root to the current directory. */
  private trail: Trail;

  /** @param isRequest one command for a program, instead of many at a prompt */
  constructor(view: ImageView, isRequest: boolean) {
    this.view = view;
    this.isRequest = isRequest;
    this.trail = [rootOf(view.fs)];
  }

  /** @throws Error for what a checked image does not have */
  execute(line: string): Outcome {
    const [command = "", argument] = line.trim().split(/\s+/);
    if (command === "") return answer("");
    if (command === "exit" || command === "q") return { kind: "exit" };
    if (command === "help") return wrong(USAGE, "help is not supported in inspect request mode");
    if (command === "ls") return this.ls(argument);
    const outcome = argument === undefined ? this.plain(command) : this.about(command, argument, line);
    return (
      outcome ?? wrong(`Unsupported command: ${command}\n${USAGE}`, `unsupported inspect request \`${line}\``)
    );
  }

  private plain(command: string): Outcome | undefined {
    const { view, isRequest } = this;
    if (command === "stats")
      return isRequest ? answer("", { inodes_count: view.tables.sb.inos }) : answer(statsText(view));
    if (command === "blobs") return isRequest ? answer("", blobRows(view)) : answer(blobsText(view));
    if (command !== "prefetch") return undefined;
    const { rows, text } = listPrefetch(view);
    return isRequest ? answer("", rows) : answer(text);
  }

  private about(command: string, argument: string, line: string): Outcome | undefined {
    if (command === "cd") return this.cd(argument);
    if (command === "stat") return this.stat(argument);
    if (command !== "chunk" && command !== "icheck") return undefined;
    if (/^\d+$/.test(argument)) {
      const show = command === "chunk" ? showChunk : showInode;
      return answer(show(this.view, Number(argument)));
    }
    const complaint =
      command === "chunk"
        ? "Wrong OFFSET is specified. Is it a valid u64 value?\n"
        : "Wrong INODE is specified. Is it a inode number?\n";
    return wrong(complaint, `invalid arguments in inspect request \`${line}\``);
  }

  /** Of any path, where nydus-image has only the current directory. */
  private ls(path = "."): Outcome {
    const found = this.follow(path)?.at(-1);
    if (found === undefined) return answer(`${path} is \n`);
    const entries = isDirectory(found.attr) ? [...list(this.view.fs, found)] : [found];
    return answer(entries.map(entryText).join(""));
  }

  private cd(path: string): Outcome {
    const trail = this.follow(path);
    if (trail === undefined) return answer(`${path} is \n`);
    if (!isDirectory(end(trail).attr)) return answer(`${path} is not a directory\n`);
    this.trail = trail;
    return answer("");
  }

  /** Silent about what is not there, as nydus-image. */
  private stat(path: string): Outcome {
    const found = this.follow(path)?.at(-1);
    return answer(found === undefined ? "" : statFile(this.view, found));
  }

  /** @returns all that lies on the way, outermost first; undefined when there is no such path */
  private follow(path: string): Trail | undefined {
    const [root, ...rest] = this.trail;
    const trail: [WalkEntry, ...WalkEntry[]] = path.startsWith("/") ? [root] : [root, ...rest];
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const next = child(this.view.fs, end(trail), encoder.encode(name));
      if (next === undefined) return undefined;
      trail.push(next);
    }
    return trail;
  }
}

const answer = (text: string, json: unknown = null): Outcome => ({ kind: "answer", text, json });
const wrong = (text: string, problem: string): Outcome => ({ kind: "wrong", text, problem });
