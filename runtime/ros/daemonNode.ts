/**
 * The daemon's own node, `/cerebellum`: lifecycle, diagnostics once a second, services, and the cell file as
 * read-only parameters. It decides nothing: every request goes to the supervisor.
 */
import { z } from "zod";
import { type Clock, sleepMs, toRosTime } from "../../core/clock.js";
import type { StopCategory } from "../../drivers/contract.js";
import { DIAGNOSTIC_LEVELS, type DiagnosticItem, type Outcome, type Supervisor } from "../supervisor.js";
import type { LifecycleState, RosNode, RosParameterValue, RosRuntime } from "./rosRuntime.js";

const DIAGNOSTICS_PERIOD_MS = 1000;

export interface DaemonNodeOptions {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  /** The cell as parsed; mirrored as parameters such as `robots.arm.servo.rateHz`. */
  readonly cell: object;
  /** Items of the adapters on this thread: cameras, trajectory inputs. The supervisor adds its own. */
  readonly sources: () => readonly DiagnosticItem[];
  /** All items, each time that they were published. */
  readonly onDiagnostics?: (items: readonly DiagnosticItem[]) => void;
  /** Another face of the node to publish them by. */
  readonly publishing?: (node: RosNode) => RosNode;
  /** Ends trajectories and whatever else moves at the word of ROS. */
  readonly onInactive: () => void;
  /** The shutdown transition: the daemon should end. */
  readonly onShutdown: () => void;
}

export interface DaemonNode {
  readonly node: RosNode;
  lifecycle(): LifecycleState;
  close(): void;
}

const StopRequest = z.object({ category: z.int().min(0).max(2), reason: z.string() });
const StartPolicyRequest = z.object({ bundle: z.string() });

/** Starts the node and brings it to `active`. Inactive, it still reports and stops, but starts nothing. */
export function startDaemonNode(ros: RosRuntime, options: DaemonNodeOptions): DaemonNode {
  const { supervisor, clock } = options;
  const ended = new AbortController();
  const node = ros.createLifecycleNode("cerebellum", {
    onConfigure: () => {},
    onActivate: () => {},
    onDeactivate: () => {
      options.onInactive();
      void supervisor.stopPolicy();
    },
    onCleanup: () => {},
    onShutdown: () => {
      options.onInactive();
      void supervisor.stop(2, "lifecycle shutdown of /cerebellum").then(options.onShutdown);
    },
  });
  for (const [name, value] of flattenParameters(options.cell)) node.readOnlyParameter(name, value);
  offerServices(node, supervisor, () => node.state() === "active");
  // Whatever arrives stops, in every lifecycle state: a publisher needs neither our messages nor an answer.
  node.subscribe("std_msgs/msg/Empty", "/cerebellum/stop", "reliable", () => {
    void supervisor.stop(2, "message on /cerebellum/stop");
  });
  const publisher = (options.publishing?.(node) ?? node).publisher(
    "diagnostic_msgs/msg/DiagnosticArray",
    "/diagnostics",
    "reliable",
  );
  const report = async () => {
    while (!ended.signal.aborted) {
      const items = [...(await supervisor.diagnostics()), ...options.sources()];
      if (!ended.signal.aborted) {
        publisher.publish(diagnosticArray(items, clock));
        options.onDiagnostics?.(items);
      }
      await sleepMs(clock, DIAGNOSTICS_PERIOD_MS, ended.signal);
    }
  };
  node.configure();
  node.activate();
  void report();
  return { node, lifecycle: () => node.state(), close: () => ended.abort() };
}

function offerServices(node: RosNode, supervisor: Supervisor, isActive: () => boolean): void {
  const offer = (type: string, name: string, answer: (request: unknown) => Promise<Outcome>) =>
    node.service(type, `/cerebellum/${name}`, async (request) => {
      const { success, message } = await answer(request);
      return { success, message };
    });
  const whenActive = (start: () => Promise<Outcome>): Promise<Outcome> =>
    isActive()
      ? start()
      : Promise.resolve({
          success: false,
          message: "/cerebellum is not active. Activate it (ros2 lifecycle set /cerebellum activate).",
        });
  offer("cerebellum_msgs/srv/Enable", "enable", () => whenActive(() => supervisor.enable()));
  offer("cerebellum_msgs/srv/Reset", "reset", () => supervisor.reset());
  offer("cerebellum_msgs/srv/Stop", "stop", async (raw) => {
    const request = StopRequest.safeParse(raw);
    // A stop that is not understood is still a stop.
    if (!request.success) return supervisor.stop(2, "stop service, request not understood");
    const { category, reason } = request.data;
    return supervisor.stop(category as StopCategory, reason === "" ? "stop service" : reason);
  });
  offer("std_srvs/srv/Trigger", "stop_now", () => supervisor.stop(2, "stop_now service"));
  offer("cerebellum_msgs/srv/StartPolicy", "start_policy", (raw) =>
    whenActive(() => {
      const { bundle } = StartPolicyRequest.parse(raw);
      return supervisor.startPolicy(bundle === "" ? undefined : bundle);
    }),
  );
  offer("cerebellum_msgs/srv/StopPolicy", "stop_policy", () => supervisor.stopPolicy());
}

export function diagnosticArray(items: readonly DiagnosticItem[], clock: Clock): object {
  return {
    header: { stamp: toRosTime(clock.epochNs()), frame_id: "" },
    status: items.map(({ name, hardwareId, level, message, values }) => ({
      level: DIAGNOSTIC_LEVELS.indexOf(level),
      name,
      message,
      hardware_id: hardwareId,
      values: Object.entries(values).map(([key, value]) => ({ key, value: String(value) })),
    })),
  };
}

/** Dotted names; lists of one plain type stay lists, other lists are numbered, empty and absent values are left out. */
export function flattenParameters(value: object, prefix = ""): [name: string, value: RosParameterValue][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    if (isPlain(inner)) return [[name, inner] as [string, RosParameterValue]];
    if (typeof inner === "object" && inner !== null) return flattenParameters(inner, name);
    return [];
  });
}

function isPlain(value: unknown): value is RosParameterValue {
  const plain = (one: unknown) => ["string", "number", "boolean"].includes(typeof one);
  if (!Array.isArray(value)) return plain(value);
  return value.length > 0 && value.every((one) => plain(one) && typeof one === typeof value[0]);
}
