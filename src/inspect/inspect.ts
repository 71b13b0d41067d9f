import { createInterface } from "node:readline";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { Inspector } from "./inspector.ts";
import { openImageView } from "./image-view.ts";

const PROMPT = "Inspecting RAFS :> ";

/**
 * Answers one request as nydus-image does: text for people, if the command has any, then one line of JSON
 * without a newline.
 *
 * @throws OperationalError for a command that is none; FormatError when the image is broken
 */
export function inspectOnce(bootstrap: string, request: string, print: (text: string) => void): void {
  const outcome = new Inspector(openImageView(bootstrap), true).execute(request);
  if (outcome.kind === "wrong") {
    print(outcome.text);
    throw new OperationalError(outcome.problem);
  }
  print(outcome.kind === "exit" ? "null" : outcome.text + JSON.stringify(outcome.json));
}

/** Answers commands, one a line, until `exit` or the end of `input`: a terminal or a pipe. */
export async function inspectPrompt(
  bootstrap: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  const inspector = new Inspector(openImageView(bootstrap), false);
  const lines = createInterface({ input, output, prompt: PROMPT });
  lines.prompt();
  for await (const line of lines) {
    try {
      const outcome = inspector.execute(line);
      if (outcome.kind === "exit") return;
      output.write(outcome.text);
    } catch (error) {
      output.write(`Failed to execute command, ${messageOf(error)}\n`);
    }
    lines.prompt();
  }
}
