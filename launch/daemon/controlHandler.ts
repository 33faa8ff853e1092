/** Answers the control socket from the running daemon. */

import { CerebellumError } from "../../core/errors.js";
import type { Pairing } from "../../core/gateway/library.js";
import type { Role } from "../../core/gateway/requests.js";
import type { GatewayHost } from "../../runtime/gateway/host.js";
import type { Outcome } from "../../runtime/supervisor.js";
import { whatBecomes } from "../cell/whatBecomes.js";
import type { ControlHandler } from "../control/server.js";
import type { Daemon } from "./daemon.js";
import { answerRecorder } from "./recorderRequests.js";
import { describeStatus, readStatus } from "./status.js";
import { describeTeleop } from "./teleopSide.js";

export function answerControl(daemon: Daemon, requestShutdown: () => void): ControlHandler {
  const { supervisor } = daemon;
  return async (request, by) => {
    switch (request.do) {
      case "status": {
        const status = await readStatus(daemon);
        return { ok: true, message: describeStatus(status), status: JSON.parse(JSON.stringify(status)) };
      }
      case "stop":
        return answer(await supervisor.stop(request.category, request.reason));
      case "enable":
        return answer(await supervisor.enable());
      case "reset":
        return answer(await supervisor.reset());
      case "teach":
        return answer(await supervisor.teach(request.robot, request.on));
      case "startPolicy":
        return answer(await supervisor.startPolicy(request.bundle));
      case "stopPolicy":
        return answer(await supervisor.stopPolicy());
      case "teleopStatus":
        return teleopAnswer(daemon);
      case "startRecording":
      case "stopRecording":
      case "discardRecording":
      case "labelEpisode":
      case "recorderStatus":
        return answerRecorder(daemon.recorder, request, by);
      case "pair": {
        const pairing = await pairWith(daemon.gateway, request.role);
        return { ok: true, message: `a code for one ${request.role}`, status: { ...pairing } };
      }
      case "shutdown":
        requestShutdown();
        return {
          ok: true,
          message: `the daemon ends; ${whatBecomes(daemon.cell.robots)}`,
        };
    }
  };
}

/** @throws CerebellumError NOT_RUNNING in a cell without a gateway */
export function pairWith(gateway: GatewayHost | undefined, role: Role): Promise<Pairing> {
  if (gateway === undefined)
    throw new CerebellumError(
      "NOT_RUNNING",
      "This cell has no gateway",
      "Add `gateway: {}` to the cell file and start it again",
    );
  return gateway.pair(role);
}

function teleopAnswer({ gateway, teleop: { status } }: Daemon) {
  if (gateway === undefined)
    throw new CerebellumError(
      "TELEOP_REFUSED",
      "This cell has no gateway, so nobody can teleoperate it",
      "Give the cell file a `gateway` section",
    );
  return {
    ok: true as const,
    message: describeTeleop(status),
    status: { teleop: status ?? null, addresses: [...gateway.status().addresses] },
  };
}

function answer({ success, message }: Outcome) {
  if (!success)
    // The robots' own errors end with a full stop already.
    throw new CerebellumError(
      "DEVICE_REFUSED",
      message.replace(/\.$/, ""),
      "Remove the cause that it names, then ask again",
    );
  return { ok: true as const, message };
}
