import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { RecorderConfig } from "../../runtime/recorder/config.js";
import type { RecorderHost, RecorderStatus } from "../../runtime/recorder/host.js";
import type { Ended } from "../../runtime/recorder/messages.js";
import { answerRecorder, describeEnded, describeRecorder, recorderItem } from "./recorderRequests.js";
import { isRecorderRequired, whyNotWithoutRecorder } from "./recorderSide.js";

const STATUS: RecorderStatus = {
  state: "recording",
  task: "t",
  episode: "episode-000001",
  folder: "",
  seconds: 2,
  bytes: 4_200_000,
  messages: 100,
  dropped: 0,
  lostBefore: 0,
  topics: {},
  diskFreeBytes: 1e9,
  queueBytes: 0,
  message: "",
  lastEnded: undefined,
  repairs: [],
  restarts: 0,
};
const ENDED: Ended = {
  ...{ task: "t", episode: "episode-000001", seconds: 2, bytes: 4_200_000, messages: 100 },
  ...{ dropped: 0, lostBefore: 0, topics: {}, folder: "", because: "stopped", detail: "" },
  ...{ outcome: "success", flags: [], discarded: false },
} as Ended;
const hostWith = (status: RecorderStatus) => ({ status: () => status }) as unknown as RecorderHost;

describe("a label", () => {
  it("carries the name of who has given it, whichever door he came by", async () => {
    const given: unknown[] = [];
    const recorder = {
      status: () => STATUS,
      label: async (request: unknown, by: string) => {
        given.push([request, by]);
        return "episode-000001";
      },
    } as unknown as RecorderHost;
    const request = { outcome: "failure", note: "" } as const;
    const { message } = await answerRecorder(recorder, { do: "labelEpisode", request }, "console anna");
    expect(message).toBe("episode-000001 is labelled failure");
    expect(given).toEqual([[request, "console anna"]]);
  });
});

describe("the recorder in words", () => {
  it("says what runs, or what ran last, and trouble with it", () => {
    expect(describeRecorder(STATUS)).toBe("recording t/episode-000001, 2.0 s, 4.2 MB");
    expect(describeRecorder({ ...STATUS, dropped: 2 })).toMatch(/, 2 dropped, 0 lost before$/);
    expect(describeRecorder({ ...STATUS, state: "idle", message: "/a vanished" })).toBe(
      "idle; newest: t/episode-000001, 2.0 s, 4.2 MB; /a vanished",
    );
    expect(describeRecorder({ ...STATUS, state: "idle", episode: "" })).toBe("idle");
  });

  it("says what a crash had left, and which of it needs a person", () => {
    const repair = (ok: boolean) => ({ episode: "e", ok, text: "e: set aside" });
    const idle = { ...STATUS, state: "idle", episode: "" } as const;
    expect(describeRecorder({ ...idle, repairs: [repair(true)] })).toMatch(/^idle; repaired 1 episodes/);
    const bad = { ...idle, repairs: [repair(true), repair(false)] };
    expect(describeRecorder(bad)).toMatch(/1 of 2 episodes .* need a person: e: set aside/);
    expect(recorderItem(hostWith(bad))[0]?.level).toBe("warn");
  });

  it("is a warning when something was lost, an error when it is down, nothing in a cell without one", () => {
    const level = (status: Partial<RecorderStatus>) =>
      recorderItem(hostWith({ ...STATUS, ...status }))[0]!.level;
    expect([level({}), level({ dropped: 1 }), level({ state: "down" })]).toEqual(["ok", "warn", "error"]);
    expect(recorderItem(undefined)).toEqual([]);
  });

  it("tells of an episode that ended all that a person must know", () => {
    expect(describeEnded(ENDED)).toBe("t/episode-000001: 2.0 s, 4.2 MB, 100 messages, success");
    expect(describeEnded({ ...ENDED, discarded: true })).toBe("t/episode-000001 is discarded after 2.0 s");
    expect(
      describeEnded({
        ...ENDED,
        because: "diskFull",
        detail: "no room",
        dropped: 1,
        flags: [{ code: "gap", topic: "/a", text: "a gap" }],
      }),
    ).toMatch(/ended because of "diskFull" no room; 1 messages dropped, 0 lost.*; flagged \(gap\): a gap$/);
  });

  it("a cell that never records refuses every request with the remedy", async () => {
    await expect(answerRecorder(undefined, { do: "recorderStatus" }, "x")).rejects.toBeInstanceOf(
      CerebellumError,
    );
    await expect(answerRecorder(undefined, { do: "discardRecording" }, "x")).rejects.toThrow(/recorder: off/);
  });
});

describe("a cell that requires a recorder", () => {
  const required = { recorder: RecorderConfig.parse({ required: true }) };

  it.each([
    ["preparing", true],
    ["down", true],
    ["idle", false],
    ["starting", false],
    ["recording", false],
    ["finishing", false],
  ] as const)("with a recorder that is %s is kept from being enabled: %s", (state, kept) => {
    const why = whyNotWithoutRecorder(required, { state, message: "it failed" });
    expect(why === undefined).toBe(!kept);
    if (kept) expect(why).toMatch(new RegExp(`requires a recorder, and it is ${state} \\(it failed\\)`));
  });

  it("is only one that says so", () => {
    expect(isRecorderRequired(required)).toBe(true);
    for (const recorder of ["off", RecorderConfig.parse({})] as const) {
      expect(isRecorderRequired({ recorder })).toBe(false);
      expect(whyNotWithoutRecorder({ recorder }, { state: "down", message: "" })).toBeUndefined();
    }
  });
});
