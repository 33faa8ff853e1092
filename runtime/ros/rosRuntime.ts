/**
 * The door to ROS 2. Everything behind it talks to the small interfaces below, so that it can be tested with a fake
 * node. rclnodejs works on the main thread of a process only (it aborts in a worker), and when its addon fails to
 * load it deletes and rebuilds itself: hence the check before it is imported at all.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { repositoryRootUrl } from "../../core/entry.js";
import { CerebellumError, errorText, invariant } from "../../core/errors.js";
import { containFailedTransitions, type RclLifecycleNode, RclNode, type RclNodejs } from "./rclNode.js";

/** `sensor` is best effort and newest only; `latched` is kept for late subscribers (transient local, depth 1). */
export type RosQos = "sensor" | "reliable" | "latched";

export interface RosPublisher {
  /** A message object, or the whole message as CDR bytes. */
  publish(message: object): void;
}

export type RosParameterValue =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly number[]
  | readonly boolean[];

export interface RosNode {
  publisher(type: string, topic: string, qos: RosQos): RosPublisher;
  /** Message objects; the listener parses them. Returns its own undo. */
  subscribe(type: string, topic: string, qos: RosQos, listener: (message: unknown) => void): () => void;
  /** CDR bytes as received, valid beyond the call. */
  subscribeRaw(type: string, topic: string, qos: RosQos, listener: (bytes: Uint8Array) => void): () => void;
  /** The response is sent when the promise resolves; a rejection is the handler's defect. */
  service(type: string, name: string, handler: (request: unknown) => Promise<object>): void;
  readOnlyParameter(name: string, value: RosParameterValue): void;
}

export const LIFECYCLE_STATES = ["unconfigured", "inactive", "active", "finalized"] as const;
export type LifecycleState = (typeof LIFECYCLE_STATES)[number];

/**
 * Called inside a transition and synchronous by type: a transition callback that is async and triggered through the
 * change_state service ends the whole process. Start longer work from them, do not wait for it.
 */
export interface LifecycleCallbacks {
  readonly onConfigure: () => void;
  readonly onActivate: () => void;
  readonly onDeactivate: () => void;
  readonly onCleanup: () => void;
  readonly onShutdown: () => void;
}

export interface RosLifecycleNode extends RosNode {
  configure(): void;
  activate(): void;
  state(): LifecycleState;
}

export interface RosRuntime {
  createNode(name: string, namespace?: string): RosNode;
  createLifecycleNode(name: string, callbacks: LifecycleCallbacks): RosLifecycleNode;
  /** Runs by itself when the process exits: a participant that ends without it leaves its segment in /dev/shm. */
  shutdown(): void;
}

const REMEDY =
  "Run `./cerebellum prepare`, and start through `./cerebellum`, which sets the environment of ROS";

/**
 * Initialises ROS for this process.
 * Throws ROS_UNAVAILABLE when ROS or the addon is missing; the loader's own words are in the error.
 */
export async function startRos(rosArguments: readonly string[] = []): Promise<RosRuntime> {
  invariant(isMainThread, "ROS runs on the main thread");
  checkAddon();
  const rcl = ((await import("rclnodejs")) as unknown as { default: RclNodejs }).default;
  try {
    await rcl.init(undefined, [...rosArguments]);
  } catch (thrown) {
    throw new CerebellumError("ROS_UNAVAILABLE", `ROS did not start: ${errorText(thrown)}`, REMEDY, thrown);
  }
  // Its handler ends the process at once; ours brings the robot to a stop first.
  rcl.removeSignalHandlers();
  const nodes: { destroy(): void }[] = [];
  const started = <T extends RclNode>(node: T): T => {
    nodes.push(node);
    return node;
  };
  const shutdown = () => {
    for (const node of nodes.splice(0)) node.destroy();
    if (!rcl.isShutdown()) rcl.shutdown();
  };
  // Also after process.exit and uncaught exceptions; a second call does nothing.
  process.once("exit", shutdown);
  return {
    createNode: (name, namespace = "") => started(new RclNode(rcl, new rcl.Node(name, namespace))),
    createLifecycleNode: (name, callbacks) => {
      const native = rcl.createLifecycleNode(name);
      return lifecycleNode(rcl, started(new RclNode(rcl, native)), native, callbacks);
    },
    shutdown,
  };
}

/** Loads the addon by hand, so that a failure is reported instead of triggering a rebuild. */
function checkAddon(): void {
  if (!process.env.AMENT_PREFIX_PATH || !process.env.ROS_DISTRO) {
    const missing = process.env.ROS_DISTRO ? "AMENT_PREFIX_PATH" : "ROS_DISTRO";
    throw new CerebellumError("ROS_UNAVAILABLE", `${missing} is not set in the environment`, REMEDY);
  }
  if (process.env.RCLNODEJS_FORCE_BUILD === "1") {
    throw new CerebellumError(
      "ROS_UNAVAILABLE",
      "RCLNODEJS_FORCE_BUILD=1 would rebuild the ROS client at every start",
      "Unset it",
    );
  }
  const addon = new URL("node_modules/rclnodejs/build/Release/rclnodejs.node", repositoryRootUrl());
  if (!existsSync(addon)) {
    throw new CerebellumError("ROS_UNAVAILABLE", "the ROS client's addon is not built", REMEDY);
  }
  try {
    createRequire(import.meta.url)(fileURLToPath(addon));
  } catch (thrown) {
    throw new CerebellumError(
      "ROS_UNAVAILABLE",
      `the ROS client's addon does not load: ${errorText(thrown)}`,
      REMEDY,
      thrown,
    );
  }
}

function lifecycleNode(
  rcl: RclNodejs,
  node: RclNode,
  native: RclLifecycleNode,
  callbacks: LifecycleCallbacks,
): RosLifecycleNode {
  const { SUCCESS, ERROR } = rcl.lifecycle.CallbackReturnCode;
  const guarded = (callback: () => void) => () => {
    try {
      callback();
      return SUCCESS;
    } catch {
      return ERROR;
    }
  };
  containFailedTransitions(native);
  native.registerOnConfigure(guarded(callbacks.onConfigure));
  native.registerOnActivate(guarded(callbacks.onActivate));
  native.registerOnDeactivate(guarded(callbacks.onDeactivate));
  native.registerOnCleanup(guarded(callbacks.onCleanup));
  native.registerOnShutdown(guarded(callbacks.onShutdown));
  return Object.assign(node, {
    configure: () => void native.configure(),
    activate: () => void native.activate(),
    state: (): LifecycleState => {
      const { label } = native.currentState;
      const known = LIFECYCLE_STATES.find((state) => state === label);
      invariant(known !== undefined, `lifecycle state ${label}`);
      return known;
    },
  });
}
