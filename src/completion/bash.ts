import {
  argumentValues,
  type CommandWords,
  functionOf,
  optionValues,
  patternOf,
  placed,
  quoted,
  valueText,
} from "./words.ts";

/**
 * A script for bash from 3.2 on, alone or with bash-completion. The words are in it, so that no program starts at a key.
 * What is before the cursor leads to a command; bash has split `--option=value` at the equals sign.
 */
export function bashCompletion(program: CommandWords): string {
  const all = placed(program);
  const f = functionOf(program.name);
  const cases = (rows: readonly (readonly [pattern: string, text: string])[]) =>
    rows.map(([pattern, text]) => `  ${pattern}) echo ${quoted(text)} ;;`).join("\n");
  const commands = all
    .filter(({ command }) => command.commands.length > 0)
    .map(({ at, command }) => [quoted(at), command.commands.map(({ name }) => name).join(" ")] as const);
  const options = all.map(
    ({ at, command }) => [quoted(at), command.options.flatMap(({ names }) => names).join(" ")] as const,
  );
  const values = (all: ReturnType<typeof optionValues>) =>
    cases(all.map((each) => [patternOf(each), valueText(each.value)] as const));
  return `# bash completion of ${program.name}, written by: ${program.name} completion bash
${f}_commands() { case $1 in
${cases(commands)}
esac; }
${f}_options() { case $1 in
${cases(options)}
esac; }
${f}_option_value() { case $1 in
${values(optionValues(all))}
esac; }
${f}_argument_value() { case $1 in
${values(argumentValues(all))}
esac; }
${f}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at=${program.name} value= plain=0 ended= i word each
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi
    if [[ -n $value ]]; then value=; continue; fi
    if [[ -n $ended || $word != -?* ]]; then
      for each in $(${f}_commands "$at"); do
        if [[ $plain == 0 && $word == "$each" ]]; then at="$at $word"; continue 2; fi
      done
      plain=$((plain + 1))
    elif [[ $word == -- ]]; then ended=1
    else value=$(${f}_option_value "$at $word"); fi
  done
  if [[ $cur == = ]]; then cur=; fi
  if [[ -z $value && -z $ended && $cur == -* ]]; then value="words $(${f}_options "$at")"
  elif [[ -z $value ]]; then
    value=$(${f}_argument_value "$at:$plain")
    if [[ $plain == 0 && -z $cur$value || $plain == 0 && -n $(compgen -W "$(${f}_commands "$at")" -- "$cur") ]]; then
      value="words $(${f}_commands "$at")"
    fi
  fi
  COMPREPLY=()
  case $value in
  file | dir)
    compopt -o filenames 2>/dev/null
    while IFS= read -r each; do COMPREPLY+=("$each"); done < <(compgen -\${value:0:1} -- "$cur")
    ;;
  words*) COMPREPLY=($(compgen -W "\${value#words}" -- "$cur")) ;;
  esac
}
complete -F ${f} ${program.name}
`;
}
