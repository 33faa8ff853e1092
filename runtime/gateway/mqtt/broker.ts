/** What the MQTT part needs of a broker, its own or another one. */
import type { MonotonicNs } from "../../../core/clock.js";
import type { MqttIdentity } from "./acl.js";

/** A device that has shown itself: one connection to the embedded broker, or one name on an external one. */
export interface MqttPeer extends MqttIdentity {
  /** It has shown a token of this device; false where another broker asks who it is. */
  readonly isPaired: boolean;
  readonly closed: AbortSignal;
  /** Bytes that it has not taken yet; 0 where nobody can know. */
  readonly untakenBytes: number;
}

/** Called at once when it happens; must neither wait nor throw. */
export interface BrokerListener {
  onPeer(peer: MqttPeer): void;
  onPeerGone(peer: MqttPeer, why: string): void;
  onPose(peer: MqttPeer, payload: Uint8Array, receivedNs: MonotonicNs): void;
  /** @param by device, or what stands for it where the broker does not tell */
  onStop(by: string, payload: Uint8Array): void;
}

export interface Broker {
  /** Lossy for QoS 0; nothing is kept for a broker that is not there. */
  publish(topic: string, text: string, how: { readonly qos: 0 | 1; readonly retain: boolean }): void;
  /** Says `lastWords` first. */
  close(): Promise<void>;
}
