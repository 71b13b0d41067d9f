import { describe, expect, it } from "vitest";
import { OP, opName } from "../../src/vfs/opcodes.ts";
import { quoted, replyLine, requestLine } from "../../src/vfs/request-lines.ts";

describe("a request and its reply", () => {
  it("are a line each, with one number", () => {
    expect(requestLine(7n, OP.READ, "node=3 pid=1 offset=0 size=4096")).toBe(
      "request unique=7 op=read node=3 pid=1 offset=0 size=4096",
    );
    expect(replyLine(7n, OP.READ, 4096, 12.4)).toBe("reply unique=7 op=read bytes=4096 us=12");
    expect(replyLine(8n, OP.LOOKUP, 128, 12.6, "node=42")).toBe(
      "reply unique=8 op=lookup bytes=128 node=42 us=13",
    );
  });

  it.each([
    [-2, "ENOENT"],
    [-61, "ENODATA"],
    [-117, "EUCLEAN"],
    [-4000, "4000"],
  ])("errno of %d is %s", (result, name) =>
    expect(replyLine(1, OP.GETATTR, result, 0)).toBe(`reply unique=1 op=getattr errno=${name} us=0`),
  );

  it("name an opcode that has no name by its number", () => expect(opName(4096)).toBe("4096"));
});

it.each([
  ["plain", '"plain"'],
  ["größe 1", '"größe 1"'],
  ['a" unique=9 op=read', '"a\\x22 unique=9 op=read"'],
  ["a\nreply unique=9", '"a\\x0areply unique=9"'],
  ["\u001b[2J\u202e", '"\\x1b[2J\\xe2\\x80\\xae"'],
  ["C:\\n\\", '"C:\\x5cn\\x5c"'],
  ["\\x22", '"\\x5cx22"'],
])("quotes %j as one string on one line", (name, want) => expect(quoted(Buffer.from(name))).toBe(want));
