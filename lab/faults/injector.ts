/**
 * The controller that fault scripts act on: an emulated one behind a cable per port. The cables keep their ports, so a
 * rebooted or exchanged controller appears where the old one was.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { type Clock, sleepMs } from "../../core/clock.js";
import {
  encodeRequest,
  HEADER_BYTES,
  MESSAGES,
  type MessageName,
} from "../../drivers/xarm7/protocol/index.js";
import { type EmulatorPorts, XArm7Emulator } from "../xarm7/emulator.js";
import { FaultProxy, type PortName, type Side, type Treatment } from "../xarm7/faultProxy.js";
import { changeOf, junk } from "../xarm7/frameChanges.js";
import { IdealPlant } from "../xarm7/idealPlant.js";
import type { WireRecord } from "../xarm7/wireLog.js";
import { type Action, portsOf } from "./schema.js";

const PORT_NAMES: readonly PortName[] = ["command", "highRate", "normal", "rich", "realTime"];
/** Of the plant behind the emulated controller. */
const LAG_S = 0.02;
const SECOND_CLIENT_PAUSE_MS = 20;

export interface Arm {
  readonly positionRad: readonly number[];
  readonly version?: string | undefined;
  readonly serial?: string | undefined;
}

/** Runs the vendor's client software; the ports are the controller's own. */
export type VendorSdk = (
  ports: EmulatorPorts,
  calls: Extract<Action, { vendorSdk: unknown }>["vendorSdk"],
) => Promise<void>;

export class FaultyController {
  readonly #clock: Clock;
  readonly #vendorSdk: VendorSdk;
  readonly #cables = new Map<PortName, FaultProxy>();
  readonly #emulators: XArm7Emulator[] = [];
  readonly #plants: IdealPlant[] = [];
  readonly #watchers = new Map<number, (() => void)[]>();
  readonly #end = new AbortController();
  #arm: Arm;
  #ports: EmulatorPorts | undefined;

  constructor(clock: Clock, arm: Arm, vendorSdk: VendorSdk) {
    this.#clock = clock;
    this.#arm = arm;
    this.#vendorSdk = vendorSdk;
    for (const name of PORT_NAMES) this.#cables.set(name, new FaultProxy(name, clock));
  }

  get emulator(): XArm7Emulator {
    return this.#emulators.at(-1)!;
  }

  /** All that there were, reboots included. */
  get emulators(): readonly XArm7Emulator[] {
    return this.#emulators;
  }

  get plant(): IdealPlant {
    return this.#plants.at(-1)!;
  }

  /** Motion and stop frames of all times that are kept, in order. */
  records(): WireRecord[] {
    return this.#emulators.flatMap(({ wireLog }) => [...wireLog.records]);
  }

  /** Answers with the ports of the cables. */
  async start(): Promise<EmulatorPorts> {
    await this.#switchOn();
    for (const [name, cable] of this.#cables) await cable.start(this.#ports![name]);
    this.#cable("command").onRequest = (frame) => this.#requested(frame[HEADER_BYTES]!);
    return Object.fromEntries(
      PORT_NAMES.map((name) => [name, this.#cable(name).port]),
    ) as unknown as EmulatorPorts;
  }

  async close(): Promise<void> {
    this.#end.abort();
    for (const cable of this.#cables.values()) await cable.close();
    await this.emulator.close();
  }

  /** Resolves when the next such request reaches the controller; before it is executed. */
  nextRequest(name: MessageName): Promise<void> {
    const { register } = MESSAGES[name];
    return new Promise((resolve) => {
      this.#watchers.set(register, [...(this.#watchers.get(register) ?? []), resolve]);
    });
  }

  /** Carries out one action of a script; resolves when it has taken place (a reboot: when it has begun). */
  async act(action: Action): Promise<void> {
    const { emulator } = this;
    if ("error" in action) {
      const { code, held, jointDetail } = action.error;
      emulator.injectError(code, held, jointDetail);
    } else if ("release" in action) emulator.releaseError();
    else if ("warning" in action) emulator.injectWarning(action.warning);
    else if ("gripper" in action) {
      const { errorCode, plugged } = action.gripper;
      if (errorCode !== undefined) emulator.injectGripperError(errorCode);
      if (plugged !== undefined) emulator.setGripperPlugged(plugged);
    } else if ("reboot" in action) this.#reboot(action.reboot);
    else if ("secondClient" in action) await this.#secondClient(action.secondClient);
    else if ("vendorSdk" in action) await this.#vendorSdk(this.#ports!, action.vendorSdk);
    else if ("pushed" in action) this.plant.displace(action.pushed.joint - 1, action.pushed.byRad);
    else await this.#actOnCables(action);
  }

  async #actOnCables(action: Action): Promise<void> {
    if ("hold" in action) {
      const { port, side, forMs } = action.hold;
      this.#treat(port, side, () => ({ do: "hold" }));
      if (forMs === undefined) return;
      await sleepMs(this.#clock, forMs, this.#end.signal);
      this.#treat(port, side, () => ({ do: "pass" }));
    } else if ("pass" in action) this.#treat(action.pass.port, action.pass.side, () => ({ do: "pass" }));
    else if ("pieces" in action) {
      const { port, side, bytes, gapMs } = action.pieces;
      this.#treat(port, side, () => ({ do: "pieces", bytes, gapMs }));
    } else if ("batch" in action) {
      const { port, side, frames } = action.batch;
      this.#treat(port, side, () => ({ do: "batch", frames }));
    } else if ("replies" in action) {
      const { are, to, count } = action.replies;
      const register = to === undefined ? undefined : MESSAGES[to].register;
      this.#treat("command", "replies", (name) => ({
        do: "change",
        change: changeOf(name, are, { register, count }),
      }));
    } else if ("reports" in action) {
      const { are, port, count, exceptOneIn } = action.reports;
      this.#treat(port, "replies", (name) => ({
        do: "change",
        change: changeOf(name, are, { count, oneIn: exceptOneIn }),
      }));
    } else if ("junk" in action) {
      const { port, side, bytes } = action.junk;
      for (const name of portsOf(port)) this.#cable(name).inject(side, junk(bytes));
    } else if ("read" in action)
      for (const name of portsOf(action.read.port)) this.#cable(name).read(action.read.on);
    else if ("disconnect" in action)
      for (const name of portsOf(action.disconnect.port)) this.#cable(name).disconnect(action.disconnect.how);
    else if ("welcome" in action)
      for (const name of portsOf(action.welcome.port)) await this.#cable(name).welcome(action.welcome.how);
  }

  #treat(
    port: Parameters<typeof portsOf>[0],
    side: Side | "both",
    treatment: (name: PortName) => Treatment,
  ): void {
    const sides: readonly Side[] = side === "both" ? ["requests", "replies"] : [side];
    for (const name of portsOf(port)) for (const one of sides) this.#cable(name).treat(one, treatment(name));
  }

  /** All connections are reset, nobody listens for a while, then a controller with nothing enabled is there. */
  #reboot(how: Extract<Action, { reboot: unknown }>["reboot"]): void {
    const { downMs, ...other } = how;
    this.#arm = { ...this.#arm, positionRad: [...this.plant.positionRad], ...definedOf(other) };
    const ended = this.emulator.close();
    const goDown = [...this.#cables.values()].map(async (cable) => {
      await cable.welcome("refuse");
      cable.disconnect("reset");
    });
    void (async () => {
      await Promise.all([ended, ...goDown]);
      await sleepMs(this.#clock, downMs, this.#end.signal);
      if (this.#end.signal.aborted) return;
      await this.#switchOn();
      for (const [name, cable] of this.#cables) {
        cable.targetPort = this.#ports![name];
        await cable.welcome("serve");
      }
    })();
  }

  async #switchOn(): Promise<void> {
    const { positionRad, version, serial } = this.#arm;
    const plant = new IdealPlant({ positionRad, lagS: LAG_S });
    const emulator = new XArm7Emulator({
      plant,
      clock: this.#clock,
      onStep: (dtS) => plant.advance(dtS),
      ...definedOf({ version, serial }),
    });
    this.#ports = await emulator.start();
    this.#plants.push(plant);
    this.#emulators.push(emulator);
  }

  /** Another program, on a connection of its own that knows nothing of the faults. */
  async #secondClient(requests: Extract<Action, { secondClient: unknown }>["secondClient"]): Promise<void> {
    const socket = connect({ port: this.#ports!.command, host: "127.0.0.1", noDelay: true });
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "connect");
    for (const [index, { sends, values }] of requests.entries()) {
      socket.write(encodeRequest(index + 1, 3, sends, values));
      await sleepMs(this.#clock, SECOND_CLIENT_PAUSE_MS, this.#end.signal);
    }
    socket.end();
  }

  #requested(register: number): void {
    const waiting = this.#watchers.get(register);
    if (waiting === undefined) return;
    this.#watchers.delete(register);
    for (const resolve of waiting) resolve();
  }

  #cable(name: PortName): FaultProxy {
    return this.#cables.get(name)!;
  }
}

function definedOf<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
