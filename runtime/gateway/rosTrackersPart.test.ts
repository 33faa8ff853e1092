import { expect, it } from "vitest";
import { poseOf } from "../teleop/testing.js";
import type { GatewayClient, PartServices } from "./part.js";
import { partBench } from "./partTesting.js";
import { rosTrackersPart } from "./rosTrackersPart.js";

it("a tracker over ROS is a client while it is heard, and gone ten seconds later", async () => {
  const { services, clock, fromMain } = partBench();
  const arrivals: string[] = [];
  const gone: string[] = [];
  let ids = 0;
  const part = await rosTrackersPart({
    ...services,
    addClient: (client) => ({ ...client, id: ++ids }) as GatewayClient,
    removeClient: (client, why) => void gone.push(`${client.name}: ${why}`),
    deliverPose: ({ client, pose }) => void arrivals.push(`${client.kind} ${client.name} ${pose.seq}`),
    deliverMalformed: (client, why) => void arrivals.push(`${client.name} ${why}`),
  } satisfies PartServices);
  for (const seq of [1, 2])
    fromMain({
      kind: "pose",
      pose: poseOf({ device: "wand", source: "ros", space: "ros", seq }),
      receivedNs: clock.nowNs(),
    });
  fromMain({ kind: "malformedPose", device: "wand", why: "a number is not finite" });
  expect(arrivals).toEqual(["ros ros wand 1", "ros ros wand 2", "ros wand a number is not finite"]);
  expect(ids).toBe(1);
  await clock.advance(9000);
  expect(gone).toEqual([]);
  await clock.advance(2000);
  expect(gone).toEqual(["ros wand: silent for 10 s"]);
  fromMain({ kind: "pose", pose: poseOf({ device: "wand", seq: 3 }), receivedNs: clock.nowNs() });
  expect(ids).toBe(2);
  await part.close?.();
  expect(gone).toHaveLength(2);
});
