import {
  argumentValues,
  brief,
  type CommandWords,
  functionOf,
  optionValues,
  type OptionWords,
  placed,
  quoted,
  type Value,
  type ValuePattern,
  valueText,
} from "./words.ts";

/** A script for fish from 3.0 on. */
export function fishCompletion(program: CommandWords): string {
  const all = placed(program);
  const f = `_${functionOf(program.name)}`;
  const complete = `complete -c ${program.name}`;
  const at = (path: string) => `-n ${quoted(`${f}_at "${path}"`)}`;
  const lines = all.flatMap(({ at: path, command }) => [
    ...command.commands.map(
      ({ name, about }) =>
        `${complete} -n ${quoted(`${f}_at "${path}" 0`)} -a ${quoted(name)} -d ${quoted(brief(about))}`,
    ),
    ...command.options.map((option) => `${complete} ${at(path)} ${optionText(option)}`),
  ]);
  const known = all.slice(1).map(({ at: path }) => quoted(path));
  return `# fish completion of ${program.name}, written by: ${program.name} completion fish
# The command that the words before the cursor lead to, and how many arguments it has there.
function ${f}_where
    set -l at ${program.name}
    set -l plain 0
    set -l value
    for word in (commandline -opc)[2..-1]
        if test -n "$value"
            set value
            continue
        end
        switch $word
            case '-?*'
                switch "$at $word"
                    case ${optionValues(all).map(patternText).join(" ")}
                        set value 1
                end
            case '*'
                if test $plain = 0; and contains -- "$at $word" ${known.join(" ")}
                    set at "$at $word"
                else
                    set plain (math $plain + 1)
                end
        end
    end
    echo $at
    echo $plain
end
function ${f}_at
    set -l where (${f}_where)
    test "$where[1]" = $argv[1]; and test (count $argv) = 1 -o "$where[2]" = "$argv[2]"
end
# What its next argument may be.
function ${f}_wants
    set -l where (${f}_where)
    set -l value
    switch "$where[1]:$where[2]"
${argumentValues(all)
  .map((each) => `        case ${patternText(each)}\n            set value ${valueText(each.value)}`)
  .join("\n")}
    end
    test "$value[1]" = $argv[1]; or return
    string join \\n $value[2..-1]
    return 0
end
${complete} -f
${complete} -n ${quoted(`${f}_wants file`)} -F
${complete} -n ${quoted(`${f}_wants dir`)} -a '(__fish_complete_directories)'
${complete} -n ${quoted(`${f}_wants words`)} -a ${quoted(`(${f}_wants words)`)}
${lines.join("\n")}
`;
}

/** A star counts within quotes here. */
const patternText = ({ text, isPrefix }: ValuePattern): string => quoted(isPrefix ? `${text}*` : text);

function optionText({ names, about, value }: OptionWords): string {
  const flags = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  return [...flags, `-d ${quoted(brief(about))}`, ...valueFlags(value)].join(" ");
}

function valueFlags(value: Value | undefined): string[] {
  if (value === undefined) return [];
  if (value === "file") return ["-r -F"];
  if (value === "dir") return ["-x -a '(__fish_complete_directories)'"];
  return value === "none" ? ["-x"] : [`-x -a ${quoted(value.join(" "))}`];
}
