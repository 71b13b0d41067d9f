import { expect, it } from "vitest";
import { kataVolume } from "../../src/snapshotter/kata-volume.ts";

it.each([512, 4096])("tells a guest of blocks of %i bytes what was hashed in such", (dataBlock) => {
  const tree = { dataBlock, dataBlocks: 24, hashOffset: 98_304, root: "ab".repeat(32) };
  const option = kataVolume("image", { path: "/disk", tree });
  const volume = JSON.parse(Buffer.from(option.replace(/^[^=]*=/, ""), "base64").toString());
  expect(volume.dm_verity).toEqual({
    ...{ hashtype: "sha256", hash: tree.root, blocknum: 24, blocksize: dataBlock },
    ...{ hashsize: 4096, offset: 98_304 },
  });
});
