/** The corpus: pictures by number, and a file head that NumPy reads. */
import { describe, expect, it } from "vitest";
import { standWorld, TEST_ARM_WORLD } from "../world/testing.js";
import { Corpus, npyHeader, OBSERVATION_BYTES } from "./corpus.js";

describe("Corpus", () => {
  it.each([
    ["an arm over a table", TEST_ARM_WORLD],
    ["a right hand with something on its palm", standWorld("right")],
    ["a left one", standWorld("left")],
  ])("gives the same picture of %s for a number, whatever was rendered before", async (_what, parts) => {
    const corpus = await Corpus.open(parts);
    const picture = (seed: number, index: number) => {
      const out = new Uint8Array(OBSERVATION_BYTES);
      corpus.render(seed, index, out);
      return Buffer.from(out);
    };
    const third = picture(1, 3);
    const fourth = picture(1, 4);
    expect(third.equals(fourth)).toBe(false);
    expect(picture(2, 3).equals(third)).toBe(false);
    expect(picture(1, 3).equals(third)).toBe(true);
    corpus.close();
  });
});

describe("npyHeader", () => {
  it("is format 1.0, a multiple of 64 bytes, and says how long it is", () => {
    for (const shape of [[7], [20_000, 112, 112, 3]]) {
      const header = npyHeader(shape);
      expect(header.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
      expect(header.length % 64).toBe(0);
      expect(header.readUInt16LE(8)).toBe(header.length - 10);
      expect(header.at(-1)).toBe(0x0a);
      const tuple = shape.length === 1 ? "(7,)" : "(20000, 112, 112, 3)";
      expect(header.subarray(10).toString("latin1").trim()).toBe(
        `{'descr': '|u1', 'fortran_order': False, 'shape': ${tuple}, }`,
      );
    }
  });
});
