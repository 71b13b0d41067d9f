import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { COMMAND, shell, workDir } from "../support/daemon.ts";
import { LAYERS } from "./images.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

/** Mounts a tar.gz that comes slowly through a fifo, with whatever runs the command. */
const slowly = (run: string, dir: string) =>
  shell(
    `${WAIT_FOR}; cd "$1"; mkdir m; mkfifo slow; gzip -c "$4" >l.gz; n=$(stat -c %s l.gz)
     timeout 240 sh -c '(head -c $(($0 / 2)) l.gz; sleep 2.6; tail -c +$(($0 / 2 + 1)) l.gz) >slow' $n &
     export NODE=$2 COMMAND=$3; cmd='"$NODE" "$COMMAND" mount --driver fuse slow m --cache-dir cache'
     ${run} & wait_for grep -q ^ready out
     umount m; wait; [ ! -e err ] || cat err >&2; cat out`,
    dir,
    process.execPath,
    COMMAND,
    LAYERS[0],
  );

it("progress is lines where there is no terminal", async () => {
  const { stdout, stderr } = await slowly('eval "$cmd" >out 2>err', workDir());
  expect(stdout).toMatch(/^ready /m);
  expect(stderr).toMatch(/^sources: 0 of 1 ready, \d+\.\d MiB, \d+\.\d MiB\/s$/m);
});

it("progress is a bar on a terminal", async () => {
  const { stdout } = await slowly('script -qefc "$cmd" /dev/null >out 2>err', workDir());
  expect(stdout).toMatch(/source 1 of 1/);
  expect(stdout).toMatch(/ready image=/);
});

/** Builds from a tar.gz whose decompressor is slow. */
const creating = (run: string) =>
  shell(
    `cd "$1"; mkdir bin; printf '#!/bin/sh\ndd bs=200000 count=1 of=/dev/null status=none; head -c 3M /dev/zero >big; tar -cf - big; sleep 2.6' >bin/igzip; chmod +x bin/igzip
     head -c 400000 /dev/urandom | gzip -c >l.tar.gz; PATH=$1/bin:$PATH; export NODE=$2 COMMAND=$3; cmd='"$NODE" "$COMMAND" create -D . -B l.boot l.tar.gz'; ${run}`,
    workDir(),
    process.execPath,
    fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url)),
  );

it("create shows how far it is, in lines", async () => {
  const { status, stdout, stderr } = await creating('eval "$cmd"');
  expect([status, stderr.match(/at work/)]).toEqual([0, null]);
  expect(stderr).toMatch(/^(layers: 0 of 1 ready, 0\.[12] MiB of 0\.4 MiB, 0\.\d MiB\/s\n)+$/);
  expect(stdout).toMatch(/^successfully built/);
});

it("create shows how far it is, in a bar on a terminal, and leaves an empty line", async () => {
  const { stdout } = await creating('script -qefc "$cmd" /dev/null');
  expect(stdout).toMatch(/\d+% \| 0\.\d MiB of 0\.4 MiB \| layer 1 of 1 \| /);
  expect(stdout).toContain("\r\u001b[Ksuccessfully built");
});

const stopped = ["INT", "TERM", "HUP"].flatMap((signal) => [
  { signal, what: "layers are decompressed", source: "l1.gz l2.gz l3.gz" },
  { signal, what: "layers of an image are built in threads", source: "image" },
]);
it.each(stopped)("SIG$signal while $what leaves nothing", async ({ signal, source }) => {
  const dir = workDir();
  const script = `cd "$1"; mkdir m; for i in 1 2 3; do head -c 30M /dev/urandom >f$i; tar -cf - f$i | gzip -1 >l$i.gz; rm f$i; done
    mkdir bin image; truncate -s 20M big; ln l?.gz image
    printf '#!/bin/sh\\ntar -cf - -C %s big; sleep 20' "$1" >bin/igzip; chmod +x bin/igzip
    id=sha256:$(printf %064d 0); printf '{"rootfs":{"diff_ids":["%s","%s","%s"]}}' $id $id $id >image/config
    echo '[{"Config":"config","Layers":["l1.gz","l2.gz","l3.gz"]}]' >image/manifest.json
    PATH=$1/bin:$PATH "$2" "$3" mount ${source} m --cache-dir cache >&2 &
    ${WAIT_FOR}; wait_for eval '[ "$(ls -A cache/blobs | wc -l)" = 2 ]'
    ls -A cache/blobs | wc -l; kill -${signal} $!; wait $! || echo $?`;
  const { stdout } = await shell(script, dir, process.execPath, COMMAND);
  expect(stdout).toBe(`2\n${128 + { INT: 2, TERM: 15, HUP: 1 }[signal as "INT"]}\n`);
  for (const folder of ["blobs", "layers", "images", "files"])
    expect(readdirSync(join(dir, "cache", folder))).toEqual([]);
});
