import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { entryUrl } from "../core/entry.js";

const module = entryUrl("./lastResort.js", import.meta.url).href;

/** A process that ends in order 50 ms after its first defect. */
function run(defect: string): Promise<{ code: number | null; lines: Record<string, unknown>[] }> {
  const script = `
    import { onDefect } from ${JSON.stringify(module)};
    const log = { fatal: (fields, text) => console.log(JSON.stringify({ ...fields, text })) };
    onDefect(log, () => { console.log('{"ending":true}'); setTimeout(() => process.exit(1), 50); });
    ${defect}
    setTimeout(() => process.exit(9), 2000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return new Promise((resolve) =>
    child.once("close", (code) =>
      resolve({
        code,
        lines: text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      }),
    ),
  );
}

describe("a defect that nobody caught", () => {
  it.each([
    ["uncaught exception", 'setTimeout(() => { throw new Error("boom"); });'],
    ["unhandled rejection", 'void Promise.reject(new Error("boom"));'],
  ])("an %s is logged with its stack, then the process ends in order", async (kind, defect) => {
    const { code, lines } = await run(defect);
    expect(code).toBe(1);
    expect(lines).toEqual([
      { event: "defect", kind, stack: expect.stringMatching(/Error: boom\n +at /), text: "boom" },
      { ending: true },
    ]);
  });

  it("a second one is logged and does not begin the end anew", async () => {
    const { code, lines } = await run(
      'setTimeout(() => { throw new Error("one"); }); setTimeout(() => { throw new Error("two"); }, 10);',
    );
    expect(code).toBe(1);
    expect(lines.map((line) => line.text ?? "ending")).toEqual(["one", "ending", "two"]);
  });

  it("also of something that is no error", async () => {
    const { lines } = await run('void Promise.reject("words");');
    expect(lines[0]).toMatchObject({ text: "words" });
  });
});
