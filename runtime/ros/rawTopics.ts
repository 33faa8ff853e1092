/** Where the recorder's bytes come from on the ROS side: other nodes' topics, and what this process publishes itself. */
import type { Clock } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { RawTap } from "./cameraSubscription.js";
import type { RosNode, RosQos } from "./rosRuntime.js";

export interface RawTopic {
  readonly topic: string;
  readonly type: string;
  readonly qos: RosQos;
}

/** Subscribes to each topic raw. Returns its own undo. @throws CerebellumError ROS_UNAVAILABLE for an unknown type */
export function subscribeTopics(
  node: RosNode,
  topics: readonly RawTopic[],
  clock: Clock,
  tap: RawTap,
): () => void {
  const undo = topics.map(({ topic, type, qos }) => {
    try {
      return node.subscribeRaw(type, topic, qos, (bytes) => tap(topic, clock.nowNs(), bytes));
    } catch (cause) {
      throw new CerebellumError(
        "ROS_UNAVAILABLE",
        `${topic} cannot be subscribed to as ${type}: ${errorText(cause)}`,
        "Correct its type, or run ./cerebellum prepare with the workspace sourced that has its package",
        cause,
      );
    }
  });
  return () => {
    for (const one of undo) one();
  };
}

/**
 * The same node, but what it publishes as bytes on one of `topics` also goes to `tap`: a subscription to oneself would
 * cost the main thread a second look at every message, and could lose some.
 */
export function tapPublishers(
  node: RosNode,
  topics: ReadonlySet<string>,
  clock: Clock,
  tap: RawTap,
): RosNode {
  return {
    publisher: (type, topic, qos) => {
      const publisher = node.publisher(type, topic, qos);
      if (!topics.has(topic)) return publisher;
      return {
        publish: (message) => {
          if (message instanceof Uint8Array) tap(topic, clock.nowNs(), message);
          publisher.publish(message);
        },
      };
    },
    subscribe: node.subscribe.bind(node),
    subscribeRaw: node.subscribeRaw.bind(node),
    service: node.service.bind(node),
    readOnlyParameter: node.readOnlyParameter.bind(node),
  };
}
