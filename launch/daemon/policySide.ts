/** The host of the cell's policy, as its cell file describes it: robots, camera, bundle. */
import { resolve } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { PolicyHost } from "../../runtime/policy/host.js";
import type { CellConfig } from "../cell/schema.js";

export interface PolicySideOptions {
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly servoSocket: (robot: string) => string;
  /** In place of the cell's. */
  readonly bundle: string | undefined;
}

/** The cell's policy section. @throws CONFIG_INVALID without one */
export function policyConfigOf({ name, policy }: CellConfig) {
  if (policy !== undefined) return policy;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Cell ${name} has no policy section`,
    "Add `policy` to the cell file",
  );
}

/** Not configured yet; its phases and defects go to the log. */
export function createPolicyHost({ cell, clock, log, servoSocket, bundle }: PolicySideOptions): PolicyHost {
  const config = policyConfigOf(cell);
  const host = new PolicyHost({
    entry: entryUrl("../processes/policyWorker.js", import.meta.url),
    clock,
    name: "policy",
    socketPaths: policyRobots(config).map(servoSocket),
    bundleDirectory: bundle === undefined ? config.bundle : resolve(bundle),
    camera: cell.cameras[pictureCamera(config)],
    frameAgeMsMax: config.frameAgeMsMax,
    approachSpeedScale: config.approachSpeedScale,
    intraOpThreads: config.intraOpThreads,
    onDefect: (defect) =>
      log.error({ event: "defect", kind: "policy worker", stack: defect.stack }, errorText(defect)),
  });
  host.onPhase(({ phase, failure }) => {
    if (failure === undefined) log.info({ event: "policyPhase", phase }, `policy ${phase}`);
    else log.error({ event: "policyFailed", code: failure.code }, `${failure.happened}. ${failure.remedy}`);
  });
  return host;
}
