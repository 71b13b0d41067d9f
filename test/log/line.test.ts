import { describe, expect, it } from "vitest";
import { formatFor, jsonLine, LEVELS, textLine } from "../../src/log/log-line.ts";
import { openLog } from "../../src/log/log.ts";

const TIME = new Date("2026-11-24T22:42:52.007Z");
const TEXT = "[2026-11-24T22:42:52.007Z] WARN ";

describe("a message stays one line that a terminal only shows", () => {
  it.each<[name: string, message: string, shown: string]>([
    ["plain", "/a/b: gone", "/a/b: gone"],
    ["what is seen, in any language", "é 漢字 🙂 \u05d0", "é 漢字 🙂 \u05d0"],
    ["quotes and backslashes as they are", 'a "b" c\\d', 'a "b" c\\d'],
    ["newlines", "a\nb\r\nc\u2028d\u2029e\u0085f", "a\\nb\\r\\nc\\u2028d\\u2029e\\u0085f"],
    ["a line that looks like another's", "x\n[2026] ERROR y", "x\\n[2026] ERROR y"],
    ["terminal commands", "\u001b[2J\u001b]0;t\u0007\u009b31m", "\\u001b[2J\\u001b]0;t\\u0007\\u009b31m"],
    ["NUL, backspace and DEL", "\0\b\x7f", "\\u0000\\b\\u007f"],
    ["text that runs backwards", "a\u202etxt.exe", "a\\u202etxt.exe"],
    ["invisible characters", "a\u200bb\u00adc\ufeff\u{e0041}", "a\\u200bb\\u00adc\\ufeff\\udb40\\udc41"],
    ["broken surrogates", "\ud800x\udc00", "\\ud800x\\udc00"],
    ["nothing", "", ""],
  ])("%s", (_, message, shown) => {
    expect(textLine(TIME, "warn", message)).toBe(`${TEXT}${shown}\n`);
    const line = jsonLine(TIME, "warn", message);
    expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*\n$/u);
    expect(JSON.parse(line)).toEqual({ time: TIME.toISOString(), level: "warn", message });
  });
});

it("fields are keys of a JSON line, and JSON behind a text", () => {
  const fields = { read: 3, "a\n": "\u001b" };
  expect(textLine(TIME, "info", "served", fields)).toBe(
    '[2026-11-24T22:42:52.007Z] INFO served {"read":3,"a\\n":"\\u001b"}\n',
  );
  expect(jsonLine(TIME, "info", "served", fields)).toBe(
    '{"time":"2026-11-24T22:42:52.007Z","level":"info","message":"served","read":3,"a\\n":"\\u001b"}\n',
  );
});

it.each(LEVELS)("level %s has its name in both", (level) => {
  expect(textLine(TIME, level, "m")).toContain(`] ${level.toUpperCase()} m`);
  expect(JSON.parse(jsonLine(TIME, level, "m")).level).toBe(level);
});

it("--log-format auto is JSON for a file, whatever stderr is", () => {
  expect([formatFor("auto", "f"), formatFor("text", "f"), formatFor("json")]).toEqual([
    "json",
    "text",
    "json",
  ]);
});

it("watchTrace tells at once, at each change of level, and not after its end", () => {
  const log = openLog("info");
  const heard: boolean[] = [];
  const end = log.watchTrace((isLogged) => heard.push(isLogged));
  log.setLevel("trace");
  end();
  log.setLevel("info");
  log.setLevel("trace");
  expect(heard).toEqual([false, true]);
});
