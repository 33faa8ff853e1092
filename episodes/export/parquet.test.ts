import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { afterAll, describe, expect, it } from "vitest";
import { mapAhead } from "./ahead.js";
import { list, ParquetFile, scalar } from "./parquet.js";

const folder = mkdtempSync(join(tmpdir(), "parquet-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a Parquet file that grows", () => {
  it("gives back numbers, texts, nested lists and embedded pictures, over several row groups", async () => {
    const file = join(folder, "all.parquet");
    const columns = {
      whole: scalar("INT64"),
      real: scalar("FLOAT"),
      text: scalar("UTF8"),
      vector: list("FLOAT"),
      cube: list("DOUBLE", 3),
      picture: { kind: "image" as const },
    };
    const rows = Array.from({ length: 7 }, (_, row) => ({
      whole: BigInt(row),
      real: row / 4,
      text: `row ${row}`,
      vector: [row, row + 0.5],
      cube: [[[row]], [[2 * row]], [[3 * row]]],
      picture: { bytes: new Uint8Array(1000).fill(row), path: `${row}.png` },
    }));
    const table = await ParquetFile.create(file, columns, { groupRows: 3, metadata: { pandas: "{}" } });
    let sizeBytes = 0;
    for (const row of rows) {
      await table.append(row);
      expect(table.sizeBytes).toBeGreaterThan(sizeBytes + 900);
      sizeBytes = table.sizeBytes;
    }
    await table.close();
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([3, 3, 1]);
    expect(metadata.key_value_metadata).toContainEqual({ key: "pandas", value: "{}" });
    expect(await parquetReadObjects({ file: buffer, utf8: false })).toEqual(rows);
  });

  it("does not write over a file", async () => {
    const file = join(folder, "once.parquet");
    await (await ParquetFile.create(file, { a: scalar("FLOAT") })).close();
    await expect(ParquetFile.create(file, { a: scalar("FLOAT") })).rejects.toThrow(/EEXIST/);
  });
});

describe("work ahead", () => {
  async function* counting(until: number) {
    for (let at = 0; at < until; at++) yield at;
  }

  it("keeps the order and never has more under way than allowed", async () => {
    let [underWay, most] = [0, 0];
    const work = async (item: number) => {
      most = Math.max(most, ++underWay);
      for (let turn = 0; turn < (item % 3) * 2; turn++) await Promise.resolve();
      underWay--;
      return 10 * item;
    };
    const found: number[] = [];
    for await (const [, result] of mapAhead(counting(20), 4, work)) found.push(result);
    expect(found).toEqual(Array.from({ length: 20 }, (_, item) => 10 * item));
    expect(most).toBeLessThanOrEqual(4);
    expect(most).toBeGreaterThan(1);
  });

  it("fails in its turn", async () => {
    const work = (item: number) => (item === 3 ? Promise.reject(new Error("third")) : Promise.resolve(item));
    const found: number[] = [];
    const all = async () => {
      for await (const [item] of mapAhead(counting(9), 4, work)) found.push(item);
    };
    await expect(all()).rejects.toThrow("third");
    expect(found).toEqual([0, 1, 2]);
  });
});
