import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Info string of a command block that a test cannot run: it needs systemd, a registry, or minutes. */
export const NOT_RUN = "not-run";

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** `console`, `sh`, `json`, … and the words after it. */
  readonly language: string;
  readonly words: readonly string[];
  readonly lines: readonly string[];
}

/** A command of a `console` block, with what it prints. */
export interface Step {
  readonly page: string;
  readonly line: number;
  readonly command: string;
  readonly output: readonly string[];
}

/** All pages for users: README.md and what lies below docs/, without what is generated. */
export const pages = (): string[] => [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path))
    .sort(),
];

export const textOf = (page: string): string => readFileSync(join(ROOT, page), "utf8");

export function blocksOf(page: string, text = textOf(page)): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; info: string; lines: string[] } | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const fence = /^ *```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: i + 1, info: fence[1] ?? "", lines: [] };
    else {
      const [language = "", ...words] = open.info.split(" ");
      blocks.push({ page, line: open.line, language, words, lines: open.lines });
      open = undefined;
    }
  }
  return blocks;
}

/** `$ ` begins a command, `> ` goes on with it; what follows is what it prints. */
export function stepsOf({ page, line: from, lines }: Block): Step[] {
  const steps: { page: string; line: number; command: string; output: string[] }[] = [];
  for (const [i, line] of lines.entries()) {
    const step = steps.at(-1);
    if (line.startsWith("$ ")) steps.push({ page, line: from + 1 + i, command: line.slice(2), output: [] });
    else if (step === undefined) throw new Error(`${page}:${from}: a console block begins with "$ "`);
    else if (line.startsWith("> ") && step.output.length === 0) step.command += `\n${line.slice(2)}`;
    else step.output.push(line);
  }
  return steps;
}
