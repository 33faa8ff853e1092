/**
 * Everything that can end or refuse motion, in one table: what the servo does about it, why, and what a person does
 * then. The names are stable: events, statistics, the black box and the safety manual use them.
 */

/**
 * `hold`: brake within the limits and stand, the lease stays; `endLease`: the
 * same, and a new lease is needed; `stop`: brake, leave the device, latched until a reset; `fault`: the device has
 * ended motion, latched; `disconnect`: the device is gone, enabling again is explicit.
 */
export type TriggerResponse = "hold" | "endLease" | "stop" | "fault" | "disconnect";

export interface Trigger {
  readonly response: TriggerResponse;
  readonly cause: string;
  readonly remedy: string;
}

export const REARM = "`./cerebellum reset`, then `./cerebellum enable`";

export const TRIGGERS = {
  commandExpired: {
    response: "hold",
    cause: "No newer command came before the last one expired",
    remedy: "Nothing: the arm follows again with the next command. If it repeats, the commander is too slow",
  },
  commandMalformed: {
    response: "hold",
    cause: "The lease holder sent a command that is not finite or breaks the rules of the servo link",
    remedy:
      "Mend the commander: its numbers are not to be trusted. The arm follows again with the next good command",
  },
  setpointRejected: {
    response: "hold",
    cause: "A setpoint of a stream does not continue the motion within the limits, or leaves no way to rest",
    remedy:
      "See its reasons. If the arm stood, device or loop had held back several setpoints (`./cerebellum doctor` measures this computer). The stream is over: go to its start again, or replay it slower",
  },
  setpointsRanDry: {
    response: "hold",
    cause: "No setpoint was there for the tick, and the stream's end was not announced",
    remedy: "The commander is too slow: see this computer's load. The stream is over: begin it again",
  },
  deviceStateOld: {
    response: "hold",
    cause: "The device's joint state is older than `servo.stateAgeMsMax`",
    remedy: "Check the network to the device and the load of this computer",
  },
  leaseSilent: {
    response: "endLease",
    cause: "The lease holder said nothing for longer than `servo.leaseSilenceMsMax`",
    remedy: "Start the policy, teleoperation or trajectory again; see why it hung",
  },
  commanderGone: {
    response: "endLease",
    cause: "The lease holder's connection closed: it ended or crashed",
    remedy: "Start the policy, teleoperation or trajectory again",
  },
  leaseRevoked: {
    response: "endLease",
    cause: "A supervisor took the lease away",
    remedy: "Start the policy, teleoperation or trajectory again when it should go on",
  },
  supervisorSilent: {
    response: "endLease",
    cause:
      "The daemon said nothing for longer than `servo.supervisorSilenceMsMax`: nobody could have stopped the arm",
    remedy: "See the daemon's log and this computer's load, then start the policy again",
  },
  supervisorGone: {
    response: "endLease",
    cause: "The daemon's connection closed: it ended or crashed",
    remedy: "Start the daemon again; the arm holds and leaves its device after 30 s",
  },
  loopLate: {
    response: "stop",
    cause: "More servo ticks in a row were missed than `servo.lateTicksMax` allows",
    remedy: `Take load off this computer (\`./cerebellum doctor\` measures it), then ${REARM}`,
  },
  deviceBusy: {
    response: "stop",
    cause: "The device took no setpoint for a second, although it is connected",
    remedy: `Check the network to the device, then ${REARM}`,
  },
  deviceNotReady: {
    response: "stop",
    cause: "The device does not execute setpoints any more",
    remedy: `See the device's own state, then ${REARM}`,
  },
  trackingError: {
    response: "stop",
    cause:
      "The arm is further from its setpoint than `servo.trackingErrorRadMax`: blocked, moved by somebody else, or a wrong joint reading",
    remedy: `Look at the arm, free it, then ${REARM}`,
  },
  blackBoxFailed: {
    response: "stop",
    cause: "The black box cannot write, so nobody could explain what happens next",
    remedy: `Make room on its disk or make its folder writable, then ${REARM}`,
  },
  deviceFault: {
    response: "fault",
    cause: "The device reported a fault",
    remedy: `Remove its cause, then ${REARM}`,
  },
  linkLost: {
    response: "disconnect",
    cause: "The connection to the device ended",
    remedy: "Check its power and cable; when it is back, `./cerebellum enable`",
  },
  stopRequested: {
    response: "stop",
    cause: "Somebody asked for a stop",
    remedy: `When it is safe, ${REARM}`,
  },
  processEnds: {
    response: "stop",
    cause: "The servo process was told to end",
    remedy: "Start the cell again",
  },
  teachSank: {
    response: "stop",
    cause:
      "The arm moved by itself right after it was set free: the load or the mounting in its controller is wrong, or somebody pulled at once",
    remedy: `Check load and mounting in the controller; take hold of the arm only when it is free. Then ${REARM}`,
  },
  teachTooFast: {
    response: "stop",
    cause: "The free arm moved faster than `servo.teach.velocityMaxRadPerS`: it fell, or was thrown",
    remedy: `Look at the arm, then ${REARM}; guide it slower`,
  },
  teachBlind: {
    response: "stop",
    cause:
      "The arm was free and its joint state older than `servo.stateAgeMsMax`: nobody could have watched it",
    remedy: `Check the network to the device, then ${REARM}`,
  },
  teachUnsupervised: {
    response: "stop",
    cause: "The arm was free and the daemon silent: nobody could have stopped it",
    remedy: `Start the daemon again, then ${REARM}`,
  },
} as const satisfies Record<string, Trigger>;
export type TriggerName = keyof typeof TRIGGERS;
export const TRIGGER_NAMES = Object.keys(TRIGGERS) as TriggerName[];
