/** `doctor`: everything that is missing or weak on this machine, with its remedy. */
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import { formatReport, runDoctor } from "../doctor/doctor.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

/** @throws CHECK_FAILED when something is missing */
export async function doctor(options: { cell: string; json?: string }): Promise<void> {
  const cell = loadCell(options.cell);
  // A real robot's ports are on its controller; only a simulated cell listens here.
  const ports = Object.entries(cell.robots).flatMap(([robot, { xarm7 }]) =>
    cell.lab === undefined
      ? []
      : [["command", xarm7.commandPort] as const, ...Object.entries(xarm7.reportPorts)].map(
          ([name, port]) => ({
            name: `${robot} ${name}`,
            port,
          }),
        ),
  );
  const report = await runDoctor({
    clock: systemClock,
    ports,
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
