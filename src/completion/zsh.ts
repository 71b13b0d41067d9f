import {
  argumentValues,
  brief,
  type CommandWords,
  functionOf,
  optionValues,
  patternOf,
  placed,
  quoted,
  type Value,
  type ValuePattern,
} from "./words.ts";

/** A script for zsh: sourced behind compinit, or as \`_PROGRAM\` in a directory of $fpath. */
export function zshCompletion(program: CommandWords): string {
  const all = placed(program);
  const f = functionOf(program.name);
  const described = (items: readonly { readonly name: string; readonly about: string }[]) =>
    items.map(({ name, about }) => quoted(`${name}:${brief(about)}`)).join(" ");
  const commands = all
    .filter(({ command }) => command.commands.length > 0)
    .map(({ at, command }) => `  ${quoted(at)}) reply=(${described(command.commands)}) ;;`);
  const options = all.map(({ at, command }) => {
    const items = command.options.flatMap(({ names, about }) => names.map((name) => ({ name, about })));
    return `  ${quoted(at)}) reply=(${described(items)}) ;;`;
  });
  const values = (rows: readonly ValuePattern[]) =>
    rows.map((each) => `  ${patternOf(each)}) ${action(each.value)} ;;`).join("\n");
  return `#compdef ${program.name}
# zsh completion of ${program.name}, written by: ${program.name} completion zsh
${f}_commands() { reply=(); case $1 in
${commands.join("\n")}
esac }
${f}_options() { reply=(); case $1 in
${options.join("\n")}
esac }
${f}_option_value() { case $1 in
${values(optionValues(all))}
  *) return 1 ;;
esac; return 0 }
${f}_argument_value() { case $1 in
${values(argumentValues(all))}
  *) return 1 ;;
esac; return 0 }
${f}_takes_value() { case $1 in
  ${optionValues(all).map(patternOf).join("|")}) return 0 ;;
esac; return 1 }
${f}() {
  emulate -L zsh
  local at=${program.name} option= ended= word i
  local -i plain=0
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $option ]]; then option=; continue; fi
    if [[ -n $ended || $word != -?* ]]; then
      ${f}_commands $at
      if ((plain == 0 && $reply[(I)\${(b)word}:*])); then at="$at $word"; else plain+=1; fi
    elif [[ $word == -- ]]; then ended=1
    elif ${f}_takes_value "$at $word"; then option=$word; fi
  done
  if [[ -n $option ]]; then ${f}_option_value "$at $option"; return; fi
  if [[ -z $ended && $words[CURRENT] == --*=* ]]; then
    option=\${words[CURRENT]%%=*}
    compset -P '*='
    ${f}_option_value "$at $option"; return
  fi
  if [[ -z $ended && $words[CURRENT] == -* ]]; then
    ${f}_options $at
    _describe -o option reply; return
  fi
  ${f}_commands $at
  if ((plain == 0 && $#reply)); then _describe command reply; fi
  ${f}_argument_value "$at:$plain"
}
if [[ $funcstack[1] == ${f} ]]; then ${f} "$@"; else compdef ${f} ${program.name}; fi
`;
}

function action(value: Value): string {
  if (value === "file") return "_files";
  if (value === "dir") return "_files -/";
  return value === "none" ? "_message value" : `compadd -- ${value.map(quoted).join(" ")}`;
}
