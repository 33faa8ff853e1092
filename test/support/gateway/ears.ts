/** A part that hears everything, and a pose for it. */
import type { PoseMessage } from "../../../core/teleop/pose.js";
import type { GatewayClient, PartFactory, PoseArrival } from "../../../runtime/gateway/part.js";

export const pose = (seq = 0): PoseMessage => ({
  v: 1,
  source: "keyboard",
  device: "laptop",
  session: "12345678",
  seq,
  deviceTimeMs: seq,
  space: "base",
  visibility: "visible",
  head: null,
  hands: [],
});

/** What a part hears. */
export class Ears {
  readonly poses: PoseArrival[] = [];
  readonly malformed: string[] = [];
  readonly clients: GatewayClient[] = [];
  readonly gone: [string, string][] = [];
  readonly factory: PartFactory = () => ({
    onClient: (client) => void this.clients.push(client),
    onClosed: (client, why) => void this.gone.push([client.name, why]),
    onPose: (arrival) => void this.poses.push(arrival),
    onMalformed: (_client, why) => void this.malformed.push(why),
  });
}
