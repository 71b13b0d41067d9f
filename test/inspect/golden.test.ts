import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { checkImage } from "../../src/inspect/check.ts";
import { inspectOnce, inspectPrompt } from "../../src/inspect/inspect.ts";
import { type Statistics, statImages } from "../../src/inspect/stat.ts";
import { statisticsText } from "../../src/inspect/stat-text.ts";
import { fixture } from "../support/image.ts";

/** See golden/README.md. */
interface Golden {
  readonly session: string;
  readonly images: Record<string, Genuine>;
}

interface Genuine {
  readonly check: string;
  readonly requests: Record<string, { status: number; stdout: string }>;
  readonly session: string;
  readonly stat: Statistics;
  readonly statText: string;
}

const golden = JSON.parse(
  readFileSync(new URL("./golden/nydus-image.json", import.meta.url), "utf8"),
) as Golden;
const images = Object.entries(golden.images).map(([name, genuine]) => ({ ...fixture(name), genuine }));

/** A function's output, up to where it threw. */
function printed(run: (print: (text: string) => void) => void): { status: number; stdout: string } {
  let stdout = "";
  try {
    run((piece) => {
      stdout += piece;
    });
    return { status: 0, stdout };
  } catch (error) {
    expect(messageOf(error)).toMatch(/^(unsupported inspect|invalid arguments in inspect|help is not supp)/);
    return { status: 1, stdout };
  }
}

/**
 * Where nydus-image is wrong: it names the first name of a hard link once for each, and it shows a name that is
 * not UTF-8 in capitals, which is only another spelling.
 */
const better = (genuine: string): string =>
  genuine
    .replace('"/bin/busybox","/bin/busybox","/bin/busybox"', '"/bin/busybox","/bin/dash","/bin/sh"')
    .replace("/bin/busybox /bin/busybox /bin/busybox", "/bin/busybox /bin/dash /bin/sh")
    .replaceAll("caf\\xE9-\\xFF", "caf\\xe9-\\xff");

describe("as nydus-image,", () => {
  it.each(images)("check prints $name", async ({ path, genuine }) => {
    let stdout = "";
    const print = (piece: string) => {
      stdout += piece;
    };
    await checkImage({ bootstrap: path, data: false, verbose: false, version: "v" }, print);
    expect(stdout).toBe(genuine.check);
  });

  it.each(images)("inspect answers requests about $name", ({ path, genuine }) => {
    for (const [request, want] of Object.entries(genuine.requests)) {
      const found = printed((print) => inspectOnce(path, request, print));
      expect(found, request).toEqual({ ...want, stdout: better(want.stdout) });
    }
  });

  it.each(images)("inspect goes through a session about $name", async ({ path, genuine }) => {
    const input = new PassThrough();
    const output = new PassThrough();
    const all = text(output);
    input.end(golden.session);
    await inspectPrompt(path, input, output);
    output.end();
    expect(await all).toBe(better(genuine.session));
  });

  it.each(images)("stat counts $name, but tells chunks apart", ({ path, genuine }) => {
    const counts = statImages(path, undefined);
    const { own_chunks, own_comp_size, own_uncomp_size } = counts.base_image;
    const own = { own_chunks, own_comp_size, own_uncomp_size };
    const want = { ...genuine.stat, base_image: { ...genuine.stat.base_image, ...own } };
    expect(JSON.stringify(counts)).toBe(JSON.stringify(want));
    const ownLines = /^Owned .*\n/gm;
    expect(statisticsText(counts).replaceAll(ownLines, "")).toBe(genuine.statText.replaceAll(ownLines, ""));
  });
});

describe("a session", () => {
  const session = async (input: string) => {
    const from = new PassThrough();
    const to = new PassThrough();
    const all = text(to);
    from.end(input);
    await inspectPrompt(fixture("01-basic").path, from, to);
    to.end();
    return (await all).replaceAll("Inspecting RAFS :> ", "> ");
  };
  const list = '-    140      "busybox"\n-    140      "dash"\n-    140      "sh"\n';

  it("ends where its input ends, also without a newline", async () => {
    expect(await session("cd bin\nls")).toBe(`> > ${list}> `);
    expect(await session("")).toBe("> ");
  });

  it("takes paths, which nydus-image does not", async () => {
    expect(await session("ls bin\ncd etc\nls ../bin\nls /bin/sh\n")).toBe(
      `> ${list}> > ${list}> -    140      "sh"\n> `,
    );
    expect(await session("cd lnk\ncd bin/sh\nls nope\ncd ../..\nls bin\n")).toBe(
      `> lnk is not a directory\n> bin/sh is not a directory\n> nope is \n> > ${list}> `,
    );
  });
});

describe("stat", () => {
  it("finds in a merged image what comes from a layer", () => {
    const l1 = fixture("12-merged").path.replace("image.boot", "l1.boot");
    const { base_image, target_image, target_enabled } = statImages(l1, fixture("12-merged").path);
    const pick = ({ own_chunks, own_comp_size, ref_chunks, ref_comp_size }: typeof base_image) => [
      ...[own_chunks, own_comp_size, ref_chunks, ref_comp_size],
    ];
    expect(target_enabled).toBe(true);
    expect(pick(base_image)).toEqual([10, 64, 0, 0]);
    expect(pick(target_image)).toEqual([6, 5037, 3, 29]);
  });
});
