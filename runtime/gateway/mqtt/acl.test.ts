import { describe, expect, it } from "vitest";
import { MQTT_ACL, whyNotPublish, whyNotSubscribe } from "./acl.js";

const ROOT = "cerebellum/lab/";
const DEVICE = "vive-1";
const ROLES = ["observer", "operator"] as const;

/** Every kind of topic that somebody might try, as seen by the device vive-1. */
const TOPICS = [
  "pose/vive-1",
  "pose/vive-2",
  "pose/+",
  "pose/#",
  "pose",
  "pose/",
  "pose/vive-1/more",
  "presence/vive-1",
  "presence/vive-2",
  "presence/+",
  "presence/#",
  "presence",
  "presence/Vive 1",
  "haptic/vive-1",
  "haptic/vive-2",
  "haptic/+",
  "state",
  "state/more",
  "telemetry",
  "stop",
  "stop/ack",
  "stop/+",
  "stop/#",
  "+",
  "#",
  "",
  "nothing",
].map((rest) => ROOT + rest);
const ELSEWHERE = [
  "cerebellum/other/stop",
  "cerebellum/other/pose/vive-1",
  "cerebellum/lab",
  "#",
  "+/+/+",
  "+/lab/pose/vive-1",
  "$SYS/#",
  "$SYS/broker/clients",
  "stop",
  "/cerebellum/lab/stop",
  "cerebellum/+/state",
];

type Row = readonly [topic: string, role: string, qos: number, retain: boolean, isWill: boolean];

/** Written out by hand; the table must say the same and nothing more. */
const MAY_PUBLISH = new Set(
  (
    [
      ["pose/vive-1", "operator", 0, false, false],
      ...ROLES.flatMap((role) =>
        [0, 1].flatMap((qos) =>
          [false, true].flatMap((isWill) => [
            ["presence/vive-1", role, qos, false, isWill],
            ["presence/vive-1", role, qos, true, isWill],
            ["stop", role, qos, false, isWill],
          ]),
        ),
      ),
    ] as unknown as Row[]
  ).map(([topic, ...rest]) => JSON.stringify([ROOT + topic, ...rest])),
);
const MAY_SUBSCRIBE = new Set(
  ["presence/vive-1", "presence/vive-2", "presence/+", "haptic/vive-1", "state", "telemetry", "stop/ack"].map(
    (topic) => ROOT + topic,
  ),
);

describe("rights on the embedded broker", () => {
  const cases = [...TOPICS, ...ELSEWHERE].flatMap((topic) =>
    ROLES.flatMap((role) =>
      [0, 1, 2].flatMap((qos) =>
        [false, true].flatMap((retain) =>
          [false, true].map((isWill): Row => [topic, role, qos, retain, isWill]),
        ),
      ),
    ),
  );

  it(`of publishing are exactly those written down, in all ${cases.length} cases`, () => {
    const wrong = cases.filter(([topic, role, qos, retain, isWill]) => {
      const who = { device: DEVICE, role: role as "observer" | "operator" };
      const isAllowed = whyNotPublish(ROOT, who, { topic, qos, retain }, isWill) === undefined;
      return isAllowed !== MAY_PUBLISH.has(JSON.stringify([topic, role, qos, retain, isWill]));
    });
    expect(wrong).toEqual([]);
  });

  it("of subscribing are exactly those written down, for both roles", () => {
    for (const role of ROLES) {
      const allowed = [...TOPICS, ...ELSEWHERE].filter(
        (filter) => whyNotSubscribe(ROOT, { device: DEVICE, role }, filter) === undefined,
      );
      expect(new Set(allowed)).toEqual(MAY_SUBSCRIBE);
    }
  });

  it("nobody hears a stop or a pose of somebody else, and every refusal names its topic", () => {
    for (const topic of TOPICS) {
      const who = { device: DEVICE, role: "observer" } as const;
      const why = whyNotPublish(ROOT, who, { topic, qos: 0, retain: false });
      if (why !== undefined) expect(why).toContain(topic);
    }
    expect(MQTT_ACL.find(({ topic }) => topic === "pose")).toMatchObject({ retain: false, qosMax: 0 });
  });
});
