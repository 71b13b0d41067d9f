import { type Described, flatten, type Item, ownOptions } from "./programs.ts";

const HEAD = `# Command reference

Generated from the definitions in \`bin/\` by \`npm run docs\`. The same as man pages: [man/](man/).
`;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;
const anchor = (name: string): string => `#${name.replaceAll(" ", "-")}`;

const table = (head: string, items: readonly Item[]): string[] =>
  items.length === 0
    ? []
    : [
        "",
        `| ${head} | meaning |`,
        "|---|---|",
        ...items.map(({ term, about }) => `| ${code(term)} | ${cell(about)} |`),
      ];

function section(command: Described, before: readonly Described[]): string[] {
  const { own, as } = ownOptions(command, before);
  const isProgram = !command.name.includes(" ");
  return [
    "",
    `${isProgram ? "##" : "###"} ${command.name}`,
    "",
    `${sentence(command.about)}`,
    "",
    "```text",
    command.usage,
    "```",
    ...table(
      "argument",
      command.items.filter(({ about }) => about !== ""),
    ),
    ...table("option", own),
    ...(as === undefined ? [] : ["", `And all options of [${as.name}](${anchor(as.name)}).`]),
    ...(command.commands.length === 0
      ? []
      : [
          "",
          "| command | |",
          "|---|---|",
          ...command.commands.map(({ name, about }) => `| [${name}](${anchor(name)}) | ${cell(about)} |`),
        ]),
    ...(command.examples.length === 0 ? [] : ["", "```text", ...command.examples, "```"]),
  ];
}

const sentence = (about: string): string =>
  about === "" ? "" : `${about.charAt(0).toUpperCase()}${cell(about.slice(1))}.`;

/** docs/commands.md */
export function markdownReference(programs: readonly Described[]): string {
  const lines = programs.flatMap((program) => {
    const all = flatten(program);
    return all.flatMap((command, i) => section(command, all.slice(0, i)));
  });
  return `${HEAD}${lines.join("\n").replace(/\n{3,}/g, "\n\n")}\n`;
}
