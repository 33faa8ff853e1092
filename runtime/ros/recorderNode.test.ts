import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { SimClock } from "../../core/simClock.js";
import type { RecorderStatus } from "../recorder/host.js";
import type { Ended } from "../recorder/messages.js";
import { offerRecorder, type RecorderDoor } from "./recorderNode.js";
import { FakeNode } from "./testing.js";

const STATUS: RecorderStatus = {
  state: "idle",
  task: "",
  episode: "",
  folder: "",
  seconds: 0,
  bytes: 0,
  messages: 0,
  dropped: 0,
  lostBefore: 0,
  topics: {},
  diskFreeBytes: 2e9,
  queueBytes: 0,
  message: "",
  lastEnded: undefined,
  repairs: [],
  restarts: 0,
};
const ENDED = {
  task: "t",
  episode: "episode-000003",
  seconds: 4,
  because: "stopped",
  dropped: 0,
  lostBefore: 0,
  flags: [],
} as unknown as Ended;

function start({ active = true, ended = ENDED, refuse = undefined as CerebellumError | undefined } = {}) {
  const clock = new SimClock();
  const node = new FakeNode();
  const calls: unknown[] = [];
  let tell = (_status: RecorderStatus) => {};
  let isOver = false;
  const act = async <T>(call: unknown, answer: T): Promise<T> => {
    calls.push(call);
    if (refuse !== undefined) throw refuse;
    return answer;
  };
  const recorder: RecorderDoor = {
    start: (request) => act({ start: request }, { task: "t", episode: "episode-000003", folder: "" }),
    stop: (request) => act({ stop: request }, ended),
    discard: () => act("discard", ended),
    label: (request, by) => act({ label: request, by }, "episode-000003"),
    status: () => STATUS,
    onStatus: (listener) => {
      tell = listener;
      return () => {
        isOver = true;
      };
    },
  };
  const close = offerRecorder(node, { clock, recorder, isActive: () => active });
  const call = (name: string, request: object = {}) => node.handlers.get(`/cerebellum/${name}`)!(request);
  const published = () =>
    node.on("/cerebellum/recorder_status").map(({ message }) => message as Record<string, unknown>);
  return {
    clock,
    calls,
    call,
    close,
    published,
    tell: (status: RecorderStatus) => tell(status),
    over: () => isOver,
  };
}

describe("recording on ROS", () => {
  it("passes requests on, an empty outcome as not labelled yet", async () => {
    const { call, calls } = start();
    expect(await call("start_recording", { task: "t", note: "n" })).toEqual({
      success: true,
      message: "recording t/episode-000003",
      episode: "episode-000003",
    });
    expect(await call("stop_recording", { outcome: "", note: "" })).toMatchObject({
      success: true,
      message: "t/episode-000003: 4.0 s",
    });
    await call("label_episode", { episode: "", outcome: "failure", note: "x" });
    await call("label_episode", { episode: "episode-000001", outcome: "success", note: "" });
    // std_srvs/Trigger has no field for the episode.
    expect(await call("discard_recording")).toEqual({
      success: true,
      message: "t/episode-000003 is discarded",
    });
    expect(calls).toEqual([
      { start: { task: "t", note: "n", kind: "demonstration", context: {} } },
      { stop: { outcome: "unlabelled", note: "" } },
      { label: { outcome: "failure", note: "x" }, by: "ROS service" },
      { label: { outcome: "success", note: "", episode: "episode-000001" }, by: "ROS service" },
      "discard",
    ]);
  });

  it("tells what was lost and why an episode is not to be trusted", async () => {
    const ended = {
      ...ENDED,
      because: "diskFull",
      dropped: 3,
      lostBefore: 1,
      flags: [{ code: "gap", topic: "/a", text: "a gap of 2 s" }],
    } as Ended;
    expect(await start({ ended }).call("stop_recording", { outcome: "success", note: "" })).toMatchObject({
      message:
        "t/episode-000003: 4.0 s, ended because of diskFull, 3 dropped, 1 lost before, flagged: a gap of 2 s",
    });
  });

  it("starts only while the node is active; everything else goes on", async () => {
    const { call, calls } = start({ active: false });
    expect(await call("start_recording", { task: "t", note: "" })).toMatchObject({
      success: false,
      message: expect.stringMatching(/not active.*lifecycle set/),
      episode: "",
    });
    expect(calls).toEqual([]);
    expect(await call("stop_recording", { outcome: "", note: "" })).toMatchObject({ success: true });
  });

  it("answers refusals and requests that cannot be meant, with the reason", async () => {
    const refuse = new CerebellumError("NOT_RUNNING", "Nothing runs", "Start it");
    const { call, calls } = start({ refuse });
    expect(await call("discard_recording")).toEqual({ success: false, message: "Nothing runs. Start it." });
    expect(await call("stop_recording", { outcome: "perfect", note: "" })).toMatchObject({
      success: false,
      message: expect.stringMatching(/^outcome: /),
    });
    expect(calls).toEqual(["discard"]);
  });

  it("publishes its state at once, at each change, and once a second while nothing changes", async () => {
    const { clock, close, published, tell, over } = start();
    expect(published()).toMatchObject([{ state: "idle", disk_free_gigabytes: 2 }]);
    const recording = { ...STATUS, state: "recording", task: "t", episode: "e" } as const;
    tell(recording);
    for (let half = 1; half <= 4; half++) {
      await clock.advance(500);
      tell({ ...recording, messages: half, bytes: 5e5 * half });
    }
    expect(published().slice(1)).toMatchObject([
      { state: "recording", messages: 0n },
      { messages: 2n, megabytes: 1 },
      { messages: 4n, megabytes: 2 },
    ]);
    tell({ ...recording, messages: 5, message: "/a has vanished" });
    expect(published().at(-1)).toMatchObject({ message: "/a has vanished", messages: 5n });
    close();
    expect(over()).toBe(true);
  });
});
