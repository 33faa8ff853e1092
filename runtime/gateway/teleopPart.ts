/**
 * Teleoperation in the gateway's thread: who is the operator, and what clients are told of the session. There is one
 * operator at a time; a WebSocket client asks to be it, a tracker that comes over MQTT or ROS becomes it by its clutch.
 */

import { type HandOwner, type HandSizes, openHandSizes } from "../../calibration/handSizes.js";
import { nsToMs, sleepMs, toEpochNs } from "../../core/clock.js";
import { NO_TELEOP, type Refusal, type TeleopStatus } from "../../core/gateway/server.js";
import { TELEOP_INPUT_TOPIC } from "../../episodes/messages.js";
import { wantsRobot } from "../teleop/deadmanStates.js";
import { FingerJudge } from "../teleop/fingerJudge.js";
import { PULSES, type PulseName } from "../teleop/haptics.js";
import { createInputRecord, type InputRecord } from "../teleop/inputRecord.js";
import { type SessionInput, TeleopSession } from "../teleop/session.js";
import { HandSizeDesk } from "./handSizeDesk.js";
import {
  type Answer,
  done,
  type GatewayClient,
  type GatewayPart,
  type PartFactory,
  type PartServices,
  type PoseArrival,
  refuse,
} from "./part.js";
import { type LedRobot, teleopRobots } from "./teleopRobots.js";

/** Status of a session goes out so often, and at each change. */
const STATUS_MS = 50;
/** What the daemon's main thread is told at least. */
const REPORT_MS = 250;
/** A tracker that became the operator by its clutch gives it back by its silence. */
const SILENT_MS_MAX = 10_000;
/** These have no page to take it on. */
const WITHOUT_PAGE: readonly GatewayClient["kind"][] = ["mqtt", "ros"];

export interface TeleopParts {
  /** How a robot of this cell is led, or why it cannot be; with `fingers`, beside a tool, those of the hand it carries. */
  readonly led: (robot: string, fingers: boolean) => LedRobot | Refusal;
  readonly sizes: HandSizes;
}

/** Who has taken it, of which robot, and the session. */
interface Operation {
  readonly client: GatewayClient;
  readonly robot: string;
  readonly session: TeleopSession;
  readonly led: LedRobot;
  /** Became it by its clutch, not by a request. */
  readonly byClutch: boolean;
  heardMs: number;
  link: { readonly roundTripMs: number; readonly clockOffsetMs: number } | undefined;
  transportMs: number | null;
}

export class TeleopDesk implements GatewayPart {
  readonly #services: PartServices;
  readonly #parts: TeleopParts;
  readonly #record: InputRecord | undefined;
  readonly #handSizes: HandSizeDesk;
  readonly #subscribers = new Set<GatewayClient>();
  readonly #closing = new AbortController();
  #operation: Operation | undefined;
  #hand: TeleopStatus["hand"];
  #scales: { readonly translationScale: number; readonly rotationScale: number };
  #recording = "";
  #reportedMs = Number.NEGATIVE_INFINITY;

  constructor(services: PartServices, parts: TeleopParts) {
    const { setup, mapping } = services;
    const { translationScale, rotationScale } = setup.teleop.mapping;
    this.#services = services;
    this.#parts = parts;
    this.#hand = setup.teleop.hand;
    this.#scales = { translationScale, rotationScale };
    this.#record = setup.hasRecorder ? createInputRecord(setup.prefixes, mapping) : undefined;
    this.#handSizes = new HandSizeDesk({
      sizes: parts.sizes,
      scale: setup.teleop.fingers.retargeting.scale,
      nowEpochMs: () => Number(toEpochNs(mapping, services.clock.nowNs())) / 1e6,
      onChange: () => this.#tell(true),
      onMeasured: ({ operator, side }, scale) =>
        services.event(
          "info",
          "teleop",
          `the ${side} hand of ${operator} is measured: it leads with scale ${scale.toFixed(2)} from the next engagement on`,
        ),
    });
    services.onMain((message) => {
      if (message.kind !== "state") return;
      this.#recording = message.recorder?.state === "recording" ? message.recorder.episode : "";
    });
    void this.#tellRegularly();
  }

  readonly requests = {
    takeTeleop: async (
      { robot, fingers = false }: { readonly robot: string; readonly fingers?: boolean | undefined },
      client: GatewayClient,
    ): Promise<Answer> => this.#take(client, robot, { fingers, byClutch: false }),
    giveTeleop: async (_: unknown, client: GatewayClient): Promise<Answer> => {
      if (this.#operation?.client !== client) return this.#notOperator(client);
      this.#give("given back");
      return done("teleoperation is given back; the arm holds");
    },
    teleopSettings: async (
      request: {
        readonly translationScale?: number | undefined;
        readonly rotationScale?: number | undefined;
        readonly hand?: TeleopStatus["hand"] | undefined;
      },
      client: GatewayClient,
    ): Promise<Answer> => {
      if (this.#operation !== undefined && this.#operation.client !== client)
        return this.#notOperator(client);
      const { translationScale, rotationScale, hand } = request;
      const led = this.#operation?.led.hand;
      if (led !== undefined && hand !== undefined && hand !== led.side)
        return refuse(
          "TELEOP_REFUSED",
          `The robot's hand is a ${led.side} one: the ${hand} hand cannot lead its fingers`,
          `Lead it by your ${led.side} hand, and pinch with the other`,
        );
      this.#scales = {
        translationScale: translationScale ?? this.#scales.translationScale,
        rotationScale: rotationScale ?? this.#scales.rotationScale,
      };
      this.#hand = hand ?? this.#hand;
      this.#operation?.session.scale(this.#scales);
      if (led === undefined) this.#operation?.session.lead(this.#hand);
      this.#tell(true);
      return done("set; scales count from the next engagement on");
    },
    recentre: async (_: unknown, client: GatewayClient): Promise<Answer> => {
      const operation = this.#operation;
      if (operation?.client !== client) return this.#notOperator(client);
      const against = operation.session.recentre();
      if (against !== undefined) return { ok: false, ...against };
      this.#tell(true);
      return done("recentred: where you face is the robot's x axis");
    },
    measureHand: async (
      { phase }: { readonly phase: "begin" | "cancel" },
      client: GatewayClient,
    ): Promise<Answer> => {
      const operation = this.#operation;
      if (operation?.client !== client) return this.#notOperator(client);
      if (phase === "begin") return this.#measureHand(operation);
      this.#handSizes.cancel("");
      return done("the hand's size stays as it was");
    },
  };

  onSubscribe(client: GatewayClient, wanted: { readonly teleop: boolean }): void {
    if (!wanted.teleop) {
      this.#subscribers.delete(client);
      return;
    }
    this.#subscribers.add(client);
    client.send({ kind: "teleop", status: this.status() });
  }

  onClosed(client: GatewayClient, why: string): void {
    this.#subscribers.delete(client);
    if (this.#operation?.client === client) this.#give(why);
  }

  onPose({ client, pose, receivedNs }: PoseArrival): void {
    if (this.#operation === undefined && WITHOUT_PAGE.includes(client.kind)) this.#takeByClutch(client, pose);
    const operation = this.#operation;
    if (operation?.client !== client) return;
    const receivedMs = nsToMs(receivedNs);
    operation.heardMs = receivedMs;
    if (operation.link !== undefined)
      operation.transportMs = receivedMs - (pose.deviceTimeMs + operation.link.clockOffsetMs);
    operation.session.receive(pose, receivedNs);
    if (operation.led.hand === undefined) return;
    if (wantsRobot(operation.session.state)) this.#handSizes.cancel("The hand was not measured: it leads");
    const leading = pose.hands.find(({ hand }) => hand === operation.session.hand);
    this.#handSizes.take(leading, pose, receivedMs);
  }

  onMalformed(client: GatewayClient, why: string): void {
    if (this.#operation?.client === client) this.#operation.session.malformed(why);
  }

  onLink(
    client: GatewayClient,
    link: { readonly roundTripMs: number; readonly clockOffsetMs: number },
  ): void {
    if (this.#operation?.client === client) this.#operation.link = link;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const session = this.#operation?.session;
    this.#operation = undefined;
    await session?.close();
  }

  status(): TeleopStatus {
    const operation = this.#operation;
    const link = operation?.link;
    const ownLatency = {
      transportMs: operation?.transportMs ?? null,
      roundTripMs: link?.roundTripMs ?? null,
    };
    if (operation === undefined) {
      return {
        ...NO_TELEOP,
        robot: Object.keys(this.#services.setup.sockets)[0] ?? "",
        hand: this.#hand,
        ...this.#scales,
        recording: this.#recording,
      };
    }
    const { latency, ...status } = operation.session.status();
    return {
      ...status,
      leads: operation.led.leads,
      carriesHand: operation.led.carriesHand,
      handSize: operation.led.hand === undefined ? null : this.#handSizes.status(ownerOf(operation)),
      latency: { ...latency, ...ownLatency },
      recording: this.#recording,
    };
  }

  #take(
    client: GatewayClient,
    robot: string,
    { fingers, byClutch }: { readonly fingers: boolean; readonly byClutch: boolean },
  ): Answer {
    const { setup, clock } = this.#services;
    const holder = this.#operation;
    if (!Object.hasOwn(setup.sockets, robot))
      return refuse(
        "TELEOP_REFUSED",
        `There is no robot ${robot}`,
        `This cell has ${Object.keys(setup.sockets).join(", ")}`,
      );
    if (holder !== undefined && holder.client !== client)
      return refuse(
        "TELEOP_REFUSED",
        `${holder.client.name} has taken teleoperation of ${holder.robot}`,
        "Wait until it is given back, or ask that person; anybody may stop the robot",
      );
    const led = this.#parts.led(robot, fingers);
    if ("code" in led) return { ok: false, ...led };
    if (holder !== undefined && holder.robot === robot && holder.led.leads === led.leads)
      return done("teleoperation is yours already");
    if (holder !== undefined) this.#give("something else is taken");
    const session = new TeleopSession({
      clock,
      config: setup.teleop,
      robot,
      operator: client.name,
      // Fingers are led by a hand of the same side, whichever leads tools.
      hand: led.hand?.side ?? this.#hand,
      scales: this.#scales,
      connect: led.connect,
      createMapping: (limits) =>
        led.createMapping(limits, () => {
          const owner = this.#operation && ownerOf(this.#operation);
          return owner && this.#handSizes.scaleOf(owner);
        }),
      ...(led.hand === undefined
        ? {}
        : {
            rules: { clutchOf: "other", judge: new FingerJudge(led.hand.side, setup.teleop.deadman) },
          }),
      alignment: led.alignment,
      onChange: () => this.#changed(),
      onPulse: (name, why) => this.#pulse(client, name, why),
      onInput: (input) => this.#recordInput(input, client.name),
    });
    this.#operation = {
      client,
      robot,
      session,
      led,
      byClutch,
      heardMs: clock.nowMs(),
      link: undefined,
      transportMs: null,
    };
    session.open();
    this.#services.event("info", "teleop", `${client.name} has taken teleoperation of ${robot}`);
    return done(
      led.hand === undefined
        ? `teleoperation of ${robot} is yours; hold the clutch to move it`
        : `teleoperation of ${robot} is yours; show your ${led.hand.side} hand, and pinch with the other to lead`,
    );
  }

  /** That press only takes it: whoever pressed may not have expected motion, and the robot may be busy. */
  #takeByClutch(client: GatewayClient, pose: PoseArrival["pose"]): void {
    if (client.role !== "operator") return;
    const { clutchOn } = this.#services.setup.teleop.deadman;
    const [robot] = Object.keys(this.#services.setup.sockets);
    if (robot === undefined || !pose.hands.some(({ clutch }) => clutch >= clutchOn)) return;
    this.#take(client, robot, { fingers: false, byClutch: true });
  }

  #give(why: string): void {
    const operation = this.#operation;
    if (operation === undefined) return;
    this.#operation = undefined;
    this.#handSizes.cancel("");
    // Its change of state tells everybody.
    void operation.session.close();
    this.#services.event("info", "teleop", `${operation.client.name} has no teleoperation any more: ${why}`);
  }

  #measureHand(operation: Operation): Answer {
    const { session, led } = operation;
    const owner = ownerOf(operation);
    if (led.hand === undefined)
      return refuse(
        "TELEOP_REFUSED",
        `${operation.robot} has no fingers that are led`,
        "Take teleoperation of a hand, then measure yours",
      );
    if (wantsRobot(session.state))
      return refuse("TELEOP_REFUSED", "The fingers are being led", "Open the clutch, then measure");
    if (owner === undefined)
      return refuse("TELEOP_REFUSED", "No pose has come yet", "Put the headset on and show your hands");
    this.#handSizes.begin(owner, this.#services.clock.nowMs());
    return done(`hold your ${led.hand.side} hand flat before you, fingers spread, for five seconds`);
  }

  #notOperator({ name }: GatewayClient): Answer {
    const holder = this.#operation?.client.name;
    return refuse(
      "TELEOP_REFUSED",
      holder === undefined
        ? "Nobody has taken teleoperation"
        : `${holder} has taken teleoperation, not ${name}`,
      "Take it first",
    );
  }

  #changed(): void {
    const { state, why } = this.#operation?.session ?? { state: "off" as const, why: undefined };
    if (state === "latched" && why !== undefined)
      this.#services.event("warn", "teleop", `${why.code}: ${why.happened}`, why.remedy);
    this.#tell(true);
  }

  #pulse(client: GatewayClient, name: PulseName, why: string): void {
    const { strength, durationMs } = PULSES[name];
    const hand = this.#operation === undefined ? this.#hand : clutchHandOf(this.#operation);
    client.offer({ kind: "haptic", hand, strength, durationMs, why: why.slice(0, 200) });
  }

  #recordInput(input: SessionInput, operator: string): void {
    const operation = this.#operation;
    if (operation === undefined) return;
    const cdr = this.#record?.encode(input, operator, operation.session.hand, clutchHandOf(operation));
    if (cdr !== undefined)
      this.#services.post({ kind: "record", topic: TELEOP_INPUT_TOPIC, receivedNs: input.receivedNs, cdr });
  }

  async #tellRegularly(): Promise<void> {
    const { clock } = this.#services;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleepMs(clock, STATUS_MS, signal);
      const operation = this.#operation;
      if (signal.aborted || operation === undefined) continue;
      this.#handSizes.look(clock.nowMs());
      if (operation.byClutch && clock.nowMs() - operation.heardMs > SILENT_MS_MAX)
        this.#give(`silent for ${SILENT_MS_MAX / 1000} s`);
      else this.#tell(false);
    }
  }

  /** @param changed a change reaches everybody, also who is slow */
  #tell(changed: boolean): void {
    const nowMs = this.#services.clock.nowMs();
    const reports = changed || nowMs - this.#reportedMs >= REPORT_MS;
    if (!reports && this.#subscribers.size === 0) return;
    const status = this.status();
    const message = { kind: "teleop", status } as const;
    for (const client of this.#subscribers) {
      if (changed) client.send(message);
      else client.offer(message);
    }
    if (!reports) return;
    this.#reportedMs = nowMs;
    this.#services.post({ kind: "teleop", status });
  }
}

/** A hand that leads fingers has no clutch and no motor of its own: the other one may have. */
function clutchHandOf({ session: { hand }, led }: Operation): TeleopStatus["hand"] {
  if (led.hand === undefined) return hand;
  return hand === "right" ? "left" : "right";
}

/** Undefined before the first pose, and where no fingers are led. */
function ownerOf({ session, led, client }: Operation): HandOwner | undefined {
  const { device } = session.status();
  if (led.hand === undefined || device === "") return undefined;
  const { model, side } = led.hand;
  return { device, operator: client.name, model, side };
}

/** Teleoperation with the robots' own mappings. */
export const teleopPart: PartFactory = (services) =>
  new TeleopDesk(services, {
    led: teleopRobots(services),
    sizes: openHandSizes(services.setup.calibrationFolder),
  });
