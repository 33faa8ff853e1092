import { describe, expect, it } from "vitest";
import { GatewayRequest, REQUEST_GROUPS } from "../../core/gateway/requests.js";
import { ControlRequest } from "../control/protocol.js";
import { toControl } from "./gatewaySide.js";

const EXAMPLES: readonly GatewayRequest[] = [
  { do: "enable" },
  { do: "reset" },
  { do: "stop", category: 1 },
  { do: "startPolicy" },
  { do: "startPolicy", bundle: "policies/bundles/x" },
  { do: "stopPolicy" },
  { do: "startRecording", task: "reach-block", note: "" },
  { do: "stopRecording", outcome: "success", note: "well" },
  { do: "discardRecording" },
  { do: "labelEpisode", outcome: "failure", note: "", task: "reach-block", episode: "episode-000001" },
  { do: "labelEpisode", outcome: "success", note: "" },
  { do: "teach", robot: "arm", on: true },
];

describe("requests of the console", () => {
  it.each(EXAMPLES.map((request) => [request.do, request] as const))(
    "%s is what the control socket takes too",
    (_name, request) => {
      expect(GatewayRequest.parse(request)).toEqual(request);
      const control = toControl(request, { isPolicyRunning: () => false });
      expect(ControlRequest.parse(control)).toEqual(control);
      expect(control.do).toBe(request.do);
    },
  );

  it("of the control group are all known", () => {
    expect([...new Set(EXAMPLES.map((request) => request.do))].sort()).toEqual(
      [...REQUEST_GROUPS.control].sort(),
    );
  });

  it("record a demonstration, unless a policy moves the robot", () => {
    const kindWhen = (isPolicyRunning: boolean) =>
      toControl(
        { do: "startRecording", task: "reach-block", note: "" },
        { isPolicyRunning: () => isPolicyRunning },
      );
    expect(kindWhen(false)).toMatchObject({ request: { kind: "demonstration" } });
    expect(kindWhen(true)).toMatchObject({ request: { kind: "rollout" } });
  });

  it("of other groups never reach the daemon", () => {
    for (const request of [
      { do: "takeTeleop", robot: "arm" },
      { do: "createPairing", role: "operator" },
      { do: "listEpisodes" },
    ] as const)
      expect(() => toControl(request, { isPolicyRunning: () => false })).toThrow(/gateway itself/);
  });
});
