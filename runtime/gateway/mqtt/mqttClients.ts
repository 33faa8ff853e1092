/** MQTT devices as clients of the gateway: their poses in, pulses for the operator's hand out. */
import type { MonotonicNs } from "../../../core/clock.js";
import { POSE_BYTES_MAX, parsePose } from "../../../core/teleop/pose.js";
import { limitedLog } from "../limitedLog.js";
import type { GatewayClient, PartServices } from "../part.js";
import type { MqttPeer } from "./broker.js";
import type { MqttButtons } from "./mqttButtons.js";
import { hapticText, type MqttTopics } from "./topics.js";

export interface MqttClientsOptions {
  readonly services: Pick<
    PartServices,
    "addClient" | "removeClient" | "deliverPose" | "deliverMalformed" | "clock" | "log"
  >;
  readonly topics: MqttTopics;
  readonly publish: (topic: string, text: string) => void;
  readonly buttons: MqttButtons;
}

export class MqttClients {
  readonly #options: MqttClientsOptions;
  readonly #clients = new Map<MqttPeer, GatewayClient>();
  readonly #misfitLog: PartServices["log"];

  constructor(options: MqttClientsOptions) {
    this.#options = options;
    this.#misfitLog = limitedLog(options.services.log, options.services.clock);
  }

  add(peer: MqttPeer): void {
    const { services, topics, publish } = this.#options;
    const client = services.addClient({
      name: `mqtt ${peer.device}`,
      role: peer.role,
      kind: "mqtt",
      device: peer.isPaired ? peer.device : undefined,
      closed: peer.closed,
      get bufferedBytes() {
        return peer.untakenBytes;
      },
      // Telemetry and events have topics of their own; what is meant for one operator is the pulse in the hand.
      send: (message) => {
        if (message.kind === "haptic") publish(topics.haptic(peer.device), hapticText(message));
      },
      offer: (message) => {
        if (message instanceof Uint8Array || message.kind !== "haptic") return false;
        publish(topics.haptic(peer.device), hapticText(message));
        return true;
      },
    });
    this.#clients.set(peer, client);
  }

  remove(peer: MqttPeer, why: string): void {
    const client = this.#clients.get(peer);
    if (client === undefined) return;
    this.#clients.delete(peer);
    this.#options.services.removeClient(client, why);
  }

  /** The gateway has ended it, for instance by revoking its device: it is heard no more while its connection lasts. */
  ended(client: GatewayClient): void {
    for (const [peer, other] of this.#clients) if (other === client) this.#clients.delete(peer);
  }

  pose(peer: MqttPeer, payload: Uint8Array, receivedNs: MonotonicNs): void {
    const client = this.#clients.get(peer);
    if (client === undefined) return;
    const { services } = this.#options;
    const why = this.#take(client, peer, payload, receivedNs);
    if (why === undefined) return;
    this.#misfitLog("warn", "mqttMalformed", `pose of ${peer.device}: ${why}`);
    services.deliverMalformed(client, why);
  }

  #take(
    client: GatewayClient,
    peer: MqttPeer,
    payload: Uint8Array,
    receivedNs: MonotonicNs,
  ): string | undefined {
    if (payload.length > POSE_BYTES_MAX)
      return `${payload.length} bytes, at most ${POSE_BYTES_MAX} are expected`;
    const parsed = parsePose(
      Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8"),
    );
    if (!parsed.ok) return parsed.why;
    const pose = parsed.message;
    if (pose.device !== peer.device) return `device: it says ${pose.device}, its topic says ${peer.device}`;
    this.#options.services.deliverPose({ client, pose, receivedNs });
    this.#options.buttons.take(client, pose);
    return undefined;
  }
}
