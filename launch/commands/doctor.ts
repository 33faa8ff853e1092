/** `doctor`: everything that is missing or weak on this machine, with its remedy. */
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import { armsOf, digitsOf, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { formatReport, runDoctor } from "../doctor/doctor.js";
import { gatherFacts } from "../doctor/gather.js";
import { describeTiming, judgeTiming, runTimingTest, type TimingVerdict } from "../doctor/timing.js";
import type { TimingResult } from "../processes/timingMain.js";
import { stateFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

export interface DoctorCommandOptions {
  readonly cell: string;
  readonly json?: string;
  /** Run the timing self-test for so long besides. */
  readonly timing?: boolean;
  readonly seconds: number;
}

/** @throws CHECK_FAILED when something is missing, or the rate cannot be held */
export async function doctor(options: DoctorCommandOptions): Promise<void> {
  const cell = loadCell(options.cell);
  if (options.timing) await timing(options, cell);
  else await checks(options, cell);
}

/** Each robot's loop at its own rate and priority, one after the other. */
async function timing(options: DoctorCommandOptions, cell: CellConfig): Promise<void> {
  const print = printer(options.json);
  const facts = await gatherFacts({ clock: systemClock });
  const robots: Record<string, TimingResult & TimingVerdict> = {};
  for (const [robot, config] of Object.entries(cell.robots)) {
    print(`${robot}: measuring for ${options.seconds} s`);
    const result = await runTimingTest({ clock: systemClock, robot: config, seconds: options.seconds });
    const verdict = judgeTiming(result, facts, config.device);
    robots[robot] = { ...result, ...verdict };
    print(describeTiming(result, verdict));
  }
  writeJson(options.json, { robots });
  if (Object.values(robots).some(({ holds }) => !holds))
    throw new CerebellumError(
      "CHECK_FAILED",
      "This computer does not hold the servo's rate",
      "Follow the remedies above, or lower `servo.rateHz`",
    );
}

async function checks(options: DoctorCommandOptions, cell: CellConfig): Promise<void> {
  // A real robot's ports are on its controller; only a simulated cell listens for it here.
  const robotPorts = armsOf(cell.robots).flatMap(([robot, { xarm7 }]) =>
    cell.lab === undefined
      ? []
      : [["command", xarm7.commandPort] as const, ...Object.entries(xarm7.reportPorts)].map(
          ([name, port]) => ({
            name: `${robot} ${name}`,
            port,
          }),
        ),
  );
  const digitPorts = digitsOf(cell.robots).flatMap(([robot, { digit }]) =>
    cell.lab === undefined ? [] : [{ name: `${robot} json`, port: digit.jsonPort }],
  );
  const metricsPorts = cell.metrics === undefined ? [] : [{ name: "metrics", port: cell.metrics.port }];
  const ports = [...robotPorts, ...digitPorts, ...metricsPorts, ...gatewayPorts(cell)];
  const report = await runDoctor({
    clock: systemClock,
    ports,
    hands: handsOf(cell.robots).map(([robot, { allegro }]) => ({
      robot,
      can: allegro.can,
      isSimulated: cell.lab !== undefined,
    })),
    ...(cell.gateway === "off" ? {} : { consoleState: stateFolder(cell.name) }),
    ...(cell.ros.domainId === undefined ? {} : { domainId: cell.ros.domainId }),
  });
  printer(options.json)(formatReport(report));
  writeJson(options.json, report);
  if (report.exitCode !== 0) {
    throw new CerebellumError(
      "CHECK_FAILED",
      "This machine lacks something that Cerebellum needs",
      "Follow the remedies above",
    );
  }
}

function gatewayPorts({ gateway }: CellConfig): { name: string; port: number }[] {
  if (gateway === "off") return [];
  const { port, mqtt, foxglove } = gateway;
  return [
    { name: "console", port },
    ...(mqtt !== "off" && mqtt.broker === "embedded" ? [{ name: "mqtt", port: mqtt.port }] : []),
    ...(foxglove === "off" ? [] : [{ name: "foxglove", port: foxglove.port }]),
  ];
}
