import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import type { ControlRequest } from "../control/protocol.js";
import { KeySession, keyAction, statusLine } from "./recordKeys.js";

/** A daemon that knows only whether it records. */
function start(recording = false) {
  const asked: ControlRequest[] = [];
  let refuse: CerebellumError | undefined;
  const session = new KeySession(
    async (request) => {
      if (request.do === "recorderStatus")
        return { ok: true, message: "", status: { state: recording ? "recording" : "idle" } };
      asked.push(request);
      if (refuse !== undefined) throw refuse;
      if (request.do === "startRecording") recording = true;
      if (request.do === "stopRecording" || request.do === "discardRecording") recording = false;
      return { ok: true, message: request.do };
    },
    "reach",
    "note",
  );
  return {
    session,
    asked,
    refuse: (error: CerebellumError) => {
      refuse = error;
    },
  };
}

describe("keys of `record`", () => {
  it("mean what the help says, capital or not; others mean nothing", () => {
    expect([" ", "\r", "s", "S", "f", "d", "q", "\u0003", "x", "\u001b"].map(keyAction)).toEqual([
      "toggle",
      "toggle",
      "success",
      "success",
      "failure",
      "discard",
      "quit",
      "quit",
      undefined,
      undefined,
    ]);
  });

  it("start and stop in turn; s and f stop with a label, or label the one before", async () => {
    const { session, asked } = start();
    for (const action of ["toggle", "toggle", "failure", "toggle", "success"] as const)
      await session.act(action);
    expect(asked).toEqual([
      {
        do: "startRecording",
        request: { task: "reach", note: "note", kind: "demonstration", context: {} },
      },
      { do: "stopRecording", request: { outcome: "unlabelled", note: "" } },
      { do: "labelEpisode", request: { outcome: "failure", note: "" } },
      expect.objectContaining({ do: "startRecording" }),
      { do: "stopRecording", request: { outcome: "success", note: "" } },
    ]);
  });

  it("a quit finishes a running episode, and asks nothing otherwise", async () => {
    const running = start(true);
    expect(await running.session.act("quit")).toBe("stopRecording");
    const idle = start();
    expect(await idle.session.act("quit")).toBe("");
    expect(idle.asked).toEqual([]);
  });

  it("show a refusal and go on", async () => {
    const { session, refuse } = start();
    refuse(new CerebellumError("RECORDING_FAILED", "The disk is full", "Make room"));
    expect(await session.act("toggle")).toBe("The disk is full. Make room.");
  });

  it("tell losses in the line only when there are some", () => {
    const status = { task: "t", episode: "e", seconds: 3.25, bytes: 2_500_000, dropped: 0, lostBefore: 0 };
    expect(statusLine(status)).toBe("● t/e · 3.3 s · 2.5 MB");
    expect(statusLine({ ...status, dropped: 2, lostBefore: 1 })).toBe(
      "● t/e · 3.3 s · 2.5 MB · 2 dropped · 1 lost before",
    );
  });
});
