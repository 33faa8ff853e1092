import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { calibrationRecord, frameFileName, INDEX_FILE, openTrackerStore } from "./store.js";
import type { TrackerFrame } from "./trackerFrame.js";

const frame = (device: string, residualDeg = 1.5): TrackerFrame => ({
  schema: "cerebellum/tracker-frame@1",
  device,
  space: "openvr-standing",
  quatBaseTracker: [0.5, -0.5, -0.5, 0.5],
  residualDeg,
  tiltDeg: 0.5,
  strokesM: [
    [0, 0, -0.3],
    [-0.3, 0, 0],
    [0, 0.3, 0],
  ],
  createdEpochMs: 1_700_000_000_000,
  robot: "arm",
});

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cerebellum-store-"));
  folder = join(root, "calibration");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const filesOf = () => readdirSync(folder).sort();
const problemsOf = () =>
  openTrackerStore(folder)
    .problems()
    .map(({ error }) => error.message);

describe("the store of tracker frames", () => {
  it("is empty where there is no folder, and makes it when the first frame is kept", async () => {
    const store = openTrackerStore(folder);
    expect(store.inForce()).toEqual([]);
    expect(store.problems()).toEqual([]);
    const { stored, superseded } = await store.keep(frame("vive"), "console anna", 1000);
    expect(superseded).toBeUndefined();
    expect(filesOf()).toEqual([INDEX_FILE, frameFileName("vive", stored.sha256)]);
    expect(statSync(join(folder, INDEX_FILE)).mode & 0o777).toBe(0o600);
    expect(openTrackerStore(folder).frameOf("vive")).toEqual(stored);
  });

  it("keeps every former frame's file to the last byte and says which is in force, since when and by whom", async () => {
    const store = openTrackerStore(folder);
    const first = await store.keep(frame("vive", 1), "anna", 1000);
    const before = readFileSync(join(folder, frameFileName("vive", first.stored.sha256)));
    const second = await store.keep(frame("vive", 2), "ben", 2000);
    await store.keep(frame("other"), "anna", 3000);
    expect(second.superseded).toEqual(first.stored);
    expect(readFileSync(join(folder, frameFileName("vive", first.stored.sha256)))).toEqual(before);
    const again = openTrackerStore(folder);
    expect(again.frameOf("vive")).toMatchObject({
      sha256: second.stored.sha256,
      by: "ben",
      sinceEpochMs: 2000,
    });
    expect(again.history().map(({ device, by }) => [device, by])).toEqual([
      ["vive", "anna"],
      ["vive", "ben"],
      ["other", "anna"],
    ]);
    expect(again.inForce().map((one) => one.frame.device)).toEqual(["other", "vive"]);
  });

  it("gives an old frame force again without a second file", async () => {
    const store = openTrackerStore(folder);
    const first = await store.keep(frame("vive", 1), "anna", 1000);
    await store.keep(frame("vive", 2), "anna", 2000);
    await store.keep(frame("vive", 1), "anna", 3000);
    expect(filesOf()).toHaveLength(3);
    expect(openTrackerStore(folder).frameOf("vive")?.sha256).toBe(first.stored.sha256);
  });

  it("keeps all of several at once", async () => {
    const store = openTrackerStore(folder);
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => store.keep(frame(`device-${i}`), "anna", 1000 + i)),
    );
    expect(openTrackerStore(folder).inForce()).toHaveLength(12);
  });

  it.each([
    [
      "one digit is changed",
      (file: string) => writeFileSync(file, readFileSync(file, "utf8").replace("0.3", "0.4")),
    ],
    ["it is cut short", (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 100))],
    ["it is empty", (file: string) => writeFileSync(file, "")],
    ["it is gone", (file: string) => rmSync(file)],
  ])("counts a device as uncalibrated when %s, and says what to do", async (_name, damage) => {
    const store = openTrackerStore(folder);
    const { stored } = await store.keep(frame("vive"), "anna", 1000);
    await store.keep(frame("other"), "anna", 1000);
    damage(join(folder, frameFileName("vive", stored.sha256)));
    const damaged = openTrackerStore(folder);
    expect(damaged.frameOf("vive")).toBeUndefined();
    expect(damaged.frameOf("other")).toBeDefined();
    expect(damaged.problems()).toHaveLength(1);
    expect(damaged.problems()[0]?.device).toBe("vive");
    expect(damaged.problems()[0]?.error.message).toMatch(/vive counts as uncalibrated.*calibrate tracker/);
  });

  it("lets a person calibrate again after damage", async () => {
    const store = openTrackerStore(folder);
    const { stored } = await store.keep(frame("vive"), "anna", 1000);
    rmSync(join(folder, frameFileName("vive", stored.sha256)));
    const damaged = openTrackerStore(folder);
    await damaged.keep(frame("vive", 3), "anna", 2000);
    expect(damaged.problems()).toEqual([]);
    expect(problemsOf()).toEqual([]);
  });

  it("never goes back to an older frame when a later line is damaged", async () => {
    const store = openTrackerStore(folder);
    await store.keep(frame("vive", 1), "anna", 1000);
    const index = join(folder, INDEX_FILE);
    appendFileSync(index, '{"v":1,"kind":"tracker-frame","dev\n');
    await openTrackerStore(folder).keep(frame("other"), "anna", 3000);
    const damaged = openTrackerStore(folder);
    expect(damaged.frameOf("vive")).toBeUndefined();
    expect(damaged.frameOf("other")).toBeDefined();
    expect(problemsOf().join()).toMatch(/line 2 is damaged.*vive may have been superseded/);
  });

  it("opens whatever single byte of the index or of the frame is changed, and never takes a changed frame", async () => {
    const store = openTrackerStore(folder);
    const { stored } = await store.keep(frame("vive"), "anna", 1000);
    for (const name of [INDEX_FILE, frameFileName("vive", stored.sha256)]) {
      const path = join(folder, name);
      const whole = readFileSync(path);
      for (let at = 0; at < whole.length; at++) {
        const bad = Buffer.from(whole);
        bad[at] = whole[at]! ^ 0x11;
        writeFileSync(path, bad);
        const found = openTrackerStore(folder).frameOf("vive");
        if (found !== undefined) expect(found.frame).toEqual(stored.frame);
      }
      writeFileSync(path, whole);
    }
  });

  it.each([
    [0, 0, 0, 0],
    [0.5, -0.5, -0.5, 0.6],
  ])("keeps no frame whose rotation is none: %f %f %f %f", async (...quatBaseTracker) => {
    const store = openTrackerStore(folder);
    await expect(store.keep({ ...frame("vive"), quatBaseTracker }, "anna", 1000)).rejects.toThrow(/norm 1/);
    expect(store.frameOf("vive")).toBeUndefined();
  });

  it("refuses a file that says something else than its name, and keeps the former frame in force", async () => {
    const other = openTrackerStore(join(root, "elsewhere"));
    const { stored } = await other.keep(frame("vive", 2), "anna", 1000);
    const store = openTrackerStore(folder);
    const first = await store.keep(frame("vive", 1), "anna", 1000);
    writeFileSync(join(folder, frameFileName("vive", stored.sha256)), "{}");
    await expect(store.keep(frame("vive", 2), "anna", 2000)).rejects.toThrow(/something else than its name/);
    expect(store.frameOf("vive")).toEqual(first.stored);
    expect(openTrackerStore(folder).frameOf("vive")).toEqual(first.stored);
  });

  it("says so when the disk refuses, and keeps what was in force", async () => {
    writeFileSync(folder, "not a folder");
    const store = openTrackerStore(folder);
    await expect(store.keep(frame("vive"), "anna", 1)).rejects.toThrow(/was not kept/);
    expect(store.frameOf("vive")).toBeUndefined();
  });

  it("gives an episode the hash of each frame in force", async () => {
    const store = openTrackerStore(folder);
    const { stored } = await store.keep(frame("vive"), "anna", 1000);
    expect(calibrationRecord(store)).toMatchObject({
      vive: { kind: "tracker-frame", sha256: stored.sha256, space: "openvr-standing", residualDeg: 1.5 },
    });
  });
});
