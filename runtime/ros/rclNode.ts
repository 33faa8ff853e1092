/**
 * The part of rclnodejs that we use, typed by hand (its own types exist only after message generation), and the one
 * class that turns it into a `RosNode`.
 */
import type { RosNode, RosParameterValue, RosPublisher, RosQos } from "./rosRuntime.js";

export interface RclNativeNode {
  spin(timeoutMs?: number): void;
  destroy(): void;
  createPublisher(type: string, topic: string, options: object): RosPublisher;
  createSubscription(
    type: string,
    topic: string,
    options: object,
    listener: (message: unknown) => void,
  ): object;
  destroySubscription(subscription: object): void;
  createService(
    type: string,
    name: string,
    options: object,
    handler: (request: unknown, response: { send(message: object): void }) => void,
  ): object;
  declareParameter(parameter: object, descriptor: object): unknown;
}

type TransitionCallback = () => number;

export interface RclLifecycleNode extends RclNativeNode {
  readonly currentState: { readonly id: number; readonly label: string };
  configure(): unknown;
  activate(): unknown;
  registerOnConfigure(callback: TransitionCallback): void;
  registerOnActivate(callback: TransitionCallback): void;
  registerOnDeactivate(callback: TransitionCallback): void;
  registerOnCleanup(callback: TransitionCallback): void;
  registerOnShutdown(callback: TransitionCallback): void;
  /** Answers the change_state service; private in rclnodejs 2.2, replaced by `containFailedTransitions`. */
  _onChangeState(request: unknown, response: { send(message: object): void }): void;
}

export interface RclNodejs {
  init(context: undefined, rosArguments: string[]): Promise<void>;
  shutdown(): void;
  isShutdown(): boolean;
  removeSignalHandlers(): void;
  createLifecycleNode(name: string): RclLifecycleNode;
  readonly Node: new (name: string, namespace: string) => RclNativeNode;
  readonly QoS: new (history: number, depth: number, reliability: number, durability: number) => object;
  readonly Parameter: new (name: string, type: number, value: unknown) => object;
  readonly ParameterDescriptor: new (
    name: string,
    type: number,
    description: string,
    readOnly: boolean,
  ) => object;
  readonly lifecycle: { readonly CallbackReturnCode: { readonly SUCCESS: number; readonly ERROR: number } };
}

/** rmw numbers: history keep last 1; reliability reliable 1, best effort 2; durability transient local 1, volatile 2. */
const QOS_NUMBERS: Record<
  RosQos,
  readonly [history: number, depth: number, reliability: number, durability: number]
> = {
  sensor: [1, 5, 2, 2],
  reliable: [1, 10, 1, 2],
  latched: [1, 1, 1, 1],
};

/**
 * Raw subscriptions want every message, also those that came while this thread was busy, and the latched ones of
 * several publishers. A subscription's depth is its own: it plays no part in matching.
 */
const RAW_DEPTH: Record<RosQos, number> = { sensor: 10, reliable: 100, latched: 64 };

/** rcl_interfaces/msg/ParameterType. */
const PARAMETER_TYPES = {
  boolean: { one: 1, many: 6 },
  number: { one: 3, many: 8 },
  string: { one: 4, many: 9 },
} as const;

/**
 * An exception that leaves a callback of rclnodejs 2.2 aborts the process in native code, past every handler. Thrown
 * again from the event loop it is an ordinary uncaught exception, which the process ends on in its own way.
 */
function contained<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (thrown) {
      throwLater(thrown);
    }
  };
}

const throwLater = (thrown: unknown): void => {
  setImmediate(() => {
    throw thrown;
  });
};

/** Any client could end the process by asking change_state for a transition number that does not exist. */
export function containFailedTransitions(native: RclLifecycleNode): void {
  const answer = native._onChangeState.bind(native);
  native._onChangeState = (request, response) => {
    try {
      answer(request, response);
    } catch {
      response.send({ success: false });
    }
  };
}

export class RclNode implements RosNode {
  readonly #rcl: RclNodejs;
  readonly #native: RclNativeNode;

  constructor(rcl: RclNodejs, native: RclNativeNode) {
    this.#rcl = rcl;
    this.#native = native;
    native.spin();
  }

  publisher(type: string, topic: string, qos: RosQos): RosPublisher {
    return this.#native.createPublisher(type, topic, { qos: this.#qos(qos) });
  }

  subscribe(type: string, topic: string, qos: RosQos, listener: (message: unknown) => void): () => void {
    const subscription = this.#native.createSubscription(
      type,
      topic,
      { qos: this.#qos(qos) },
      contained(listener),
    );
    return () => this.#native.destroySubscription(subscription);
  }

  subscribeRaw(type: string, topic: string, qos: RosQos, listener: (bytes: Uint8Array) => void): () => void {
    const subscription = this.#native.createSubscription(
      type,
      topic,
      { qos: this.#qos(qos, RAW_DEPTH[qos]), isRaw: true },
      contained((bytes) => listener(bytes as Uint8Array)),
    );
    return () => this.#native.destroySubscription(subscription);
  }

  service(type: string, name: string, handler: (request: unknown) => Promise<object>): void {
    this.#native.createService(type, name, {}, (request, response) => {
      handler(request)
        .then((answer) => response.send(answer))
        .catch(throwLater);
    });
  }

  readOnlyParameter(name: string, value: RosParameterValue): void {
    const sample: unknown = Array.isArray(value) ? (value[0] ?? "") : value;
    const types = PARAMETER_TYPES[typeof sample as keyof typeof PARAMETER_TYPES];
    const type = Array.isArray(value) ? types.many : types.one;
    this.#native.declareParameter(
      new this.#rcl.Parameter(name, type, value),
      new this.#rcl.ParameterDescriptor(name, type, "From the cell file", true),
    );
  }

  destroy(): void {
    this.#native.destroy();
  }

  #qos(qos: RosQos, ownDepth?: number): object {
    const [history, depth, reliability, durability] = QOS_NUMBERS[qos];
    return new this.#rcl.QoS(history, ownDepth ?? depth, reliability, durability);
  }
}
