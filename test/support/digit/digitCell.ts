/** A cell whose Digit is emulated in a process of its own, as it would be behind a cable, and a policy that is steered. */
import { createHash } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { DigitWireReport } from "../../../launch/tasks/digitTruth.js";
import { freePorts, ROOT } from "../cell.js";
import { JsonProcess, keepOwnTime } from "../servoRig.js";

export interface DigitPorts {
  readonly command: number;
  readonly observation: number;
  readonly json: number;
}

export class EmulatedDigit {
  readonly ports: DigitPorts;
  readonly #process: JsonProcess;

  private constructor(ports: DigitPorts, process: JsonProcess) {
    this.ports = ports;
    this.#process = process;
  }

  /** It hangs from a gantry: it cannot fall, and its motors are driven and damped all the same. */
  static async start(): Promise<EmulatedDigit> {
    const [command, observation, json] = (await freePorts(3)) as [number, number, number];
    const ports = { command, observation, json };
    const process = new JsonProcess("digitEmulatorMain.js", [JSON.stringify({ body: "ideal", ports })]);
    await process.read();
    keepOwnTime(process);
    return new EmulatedDigit(ports, process);
  }

  ask = (message: Record<string, unknown>) => this.#process.ask(message);
  /** What its motors got, by its own clock. */
  wire = async () => DigitWireReport.parse(await this.ask({ do: "log", records: false }));
  effect = async () => (await this.wire()).spans.at(-1)?.effect;

  async close(): Promise<void> {
    this.#process.process.kill("SIGKILL");
    await this.#process.exited;
  }
}

/** As far as the schema lets them be: a loaded machine must not decide whether a test passes. */
export const WIDE = {
  digit: { observationAgeMsMax: 50 },
  servo: {
    stateAgeMsMax: 100,
    lateTicksMax: 100,
    leaseSilenceMsMax: 5000,
    supervisorSilenceMsMax: 5000,
    commandExpiryMsMax: 200,
  },
} as const;

let cells = 0;

export function writeDigitCell(
  folder: string,
  { command, observation, json }: DigitPorts,
  sections: Record<string, unknown>,
): { readonly file: string; readonly name: string } {
  const name = `digit_${process.pid}_${++cells}`;
  const digit = {
    host: "127.0.0.1",
    commandPort: command,
    observationPort: observation,
    jsonPort: json,
    frames: { linearVelocity: "world", imu: "mount" },
    ...WIDE.digit,
  };
  const robots = { digit: { device: "digit", digit, servo: WIDE.servo } };
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, stringify({ schema: "cerebellum/cell@1", name, robots, ...sections }));
  return { file, name };
}

const SHIPPED = join(ROOT, "policies/bundles/digit-stand");
/** Goes so far, so softly: its motor is driven for as long as a test lasts. */
const SWINGING = { joint: "left_shoulder_yaw", byRad: 0.1, stiffnessNmPerRad: 1 } as const;

interface Bundle {
  command?: unknown;
  expiryMs: number;
  readonly files: Record<string, string>;
  readonly robot: { readonly joints: readonly string[] };
  readonly action: {
    readonly slots: { readonly joint: string; offset: number; range: [number, number] }[];
    readonly fixed: { readonly joint: string; stiffnessNmPerRad: number }[];
  };
}
interface Goldens {
  readonly cases: { readonly steps: { positionRad: number[]; stiffnessNmPerRad: number[] }[] }[];
}

/**
 * The shipped stand, which is told how fast to go as a walking policy is, and stands on; one arm turns a little.
 * @returns folder of the bundle
 */
export function writeSteeredStand(folder: string, expiryMs: number): string {
  const bundle = join(folder, "steered-stand");
  cpSync(SHIPPED, bundle, { recursive: true });
  const { joint: swings, byRad, stiffnessNmPerRad } = SWINGING;
  const manifest = read<Bundle>(join(bundle, "policy.json"));
  manifest.command = read<Bundle>(join(ROOT, "policies/bundles/digit-random/policy.json")).command;
  manifest.expiryMs = expiryMs;
  const slot = manifest.action.slots.find(({ joint }) => joint === swings)!;
  slot.offset += byRad;
  slot.range = [slot.range[0] + byRad, slot.range[1] + byRad];
  manifest.action.fixed.find(({ joint }) => joint === swings)!.stiffnessNmPerRad = stiffnessNmPerRad;
  const goldens = read<Goldens>(join(bundle, "goldens.json"));
  const place = manifest.robot.joints.indexOf(swings);
  for (const step of goldens.cases.flatMap(({ steps }) => steps)) {
    step.positionRad[place]! += byRad;
    step.stiffnessNmPerRad[place] = stiffnessNmPerRad;
  }
  const text = JSON.stringify(goldens);
  writeFileSync(join(bundle, "goldens.json"), text);
  manifest.files["goldens.json"] = createHash("sha256").update(text).digest("hex");
  writeFileSync(join(bundle, "policy.json"), JSON.stringify(manifest));
  return bundle;
}

const read = <T>(file: string): T => JSON.parse(readFileSync(file, "utf8")) as T;
