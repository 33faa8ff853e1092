/** For tests: a robot's side of both wires, and the datagrams of the vectors by name. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JsonSocketEvents, OpenJsonSocket } from "./jsonSocket.js";
import {
  type DigitLimits,
  DigitObservation,
  type EncodedStream,
  encodeObservationStream,
  MOTOR_COUNT,
  type ObservationLayout,
  ObservationWriter,
} from "./protocol/index.js";
import { encodeJsonMessage, parseJsonMessage } from "./protocol/jsonMessages.js";
import { PacketFile } from "./protocol/vectorFile.js";

const packets = (): PacketFile =>
  PacketFile.parse(
    JSON.parse(readFileSync(fileURLToPath(new URL("./vectors/packets.json", import.meta.url)), "utf8")),
  );

/** The datagrams of the vector file, by name. */
export function vectorDatagrams(): (name: string) => Buffer {
  const byName = new Map(packets().packets.map(({ name, hex }) => [name, Buffer.from(hex, "hex")]));
  return (name) => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`no vector is called ${name}`);
    return found;
  };
}

export const SOME_LIMITS: DigitLimits = {
  torqueNm: new Float64Array(MOTOR_COUNT).fill(100),
  dampingNmSPerRad: new Float64Array(MOTOR_COUNT).fill(50),
  velocityRadPerS: new Float64Array(MOTOR_COUNT).fill(8),
  errorShutdownDelayS: 0.5,
  missing: [],
};

/** Every number another one, each exact in 32 bits. */
export function countedObservation(): DigitObservation {
  const observation = new DigitObservation();
  for (let i = 0; i < observation.values.length; i++) observation.values[i] = i / 8 - 4;
  observation.values[1] = 1;
  observation.values[observation.values.length - 1] = 87;
  return observation;
}

/** A robot that describes its observations in some way. */
export class ObservationSource {
  readonly stream: EncodedStream;
  readonly #writer: ObservationWriter;

  constructor(layout: ObservationLayout = {}, limits: DigitLimits | undefined = SOME_LIMITS) {
    this.stream = encodeObservationStream(limits, layout);
    this.#writer = new ObservationWriter(this.stream.description);
  }

  message(observation = countedObservation()): Buffer {
    return Buffer.from(this.#writer.write(observation));
  }
}

/** The robot's end of a JSON connection: answers as its handlers say, and can be made to say anything. */
export class FakeJsonRobot {
  mode = "locomotion";
  hasPrivilege = false;
  /** Another client holds the privilege. */
  isTaken = false;
  isMute = false;
  pongs = 0;
  openedCount = 0;
  readonly asked: { readonly type: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  /** By type of the question; those of the robot itself where there is none. */
  readonly handlers = new Map<
    string,
    (reference: number, fields: Readonly<Record<string, unknown>>) => void
  >();
  #events: JsonSocketEvents | undefined;

  readonly open: OpenJsonSocket = (_url, events) => {
    this.openedCount++;
    this.#events = events;
    queueMicrotask(() => events.onOpen());
    return {
      send: (text) => this.#onText(text),
      pong: () => this.pongs++,
      terminate: () => {
        this.#events = undefined;
      },
    };
  };

  get isConnected(): boolean {
    return this.#events !== undefined;
  }

  say(type: string, fields: Readonly<Record<string, unknown>>, reference?: number): void {
    this.sayText(encodeJsonMessage(type, fields, reference));
  }

  sayText(text: string): void {
    this.#events?.onText(text);
  }

  hangUp(reason: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.onClosed(reason);
  }

  /** Types of the questions so far, without those of the watch. */
  get asks(): string[] {
    return this.asked.map(({ type }) => type);
  }

  #onText(text: string): void {
    const message = parseJsonMessage(text);
    if (message?.reference === undefined) throw new Error(`the robot does not understand ${text}`);
    const { type, fields, reference } = message;
    this.asked.push({ type, fields });
    if (this.isMute) return;
    const handler = this.handlers.get(type);
    if (handler !== undefined) handler(reference, fields);
    else this.#answer(type, fields, reference);
  }

  #answer(type: string, fields: Readonly<Record<string, unknown>>, reference: number): void {
    const says = (status: string) => this.say("action-status-changed", { status, info: "" }, reference);
    switch (type) {
      case "get-robot-info":
        this.say("robot-info", { "robot-name": "clank" }, reference);
        break;
      case "get-robot-status":
        this.say("robot-status", { "operation-mode": this.mode, "left-foot-in-contact": true }, reference);
        break;
      case "drop-privilege":
        this.hasPrivilege = false;
        break;
      case "request-privilege":
        this.hasPrivilege = !this.isTaken;
        this.#sayPrivileges(reference);
        break;
      case "get-privileges":
        this.#sayPrivileges(reference);
        break;
      case "action-set-operation-mode":
        this.mode = String(fields.mode);
        says("running");
        says("success");
        break;
      default:
        says("running");
    }
  }

  #sayPrivileges(reference: number): void {
    const privileges = [
      { privilege: "change-settings", has: true },
      { privilege: "change-action-command", has: this.hasPrivilege },
    ];
    this.say("privileges", { privileges }, reference);
  }
}
