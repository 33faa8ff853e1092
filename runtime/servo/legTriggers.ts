/**
 * The table of triggers as a robot on legs has it. It cannot brake to a hold out of a walk, so what makes an arm hold makes
 * it give up its stand: damped, latched. Names are those of `TRIGGERS`; a test fires each of them.
 */
import { REARM, TRIGGERS, type Trigger, type TriggerName } from "./triggers.js";

const PICK_UP = `Secure the robot, then ${REARM}`;
const damped = (cause: string, remedy: string): Trigger => ({ response: "stop", cause, remedy });
const as = (name: TriggerName): Trigger => ({ ...damped(TRIGGERS[name].cause, PICK_UP) });

const DIFFERENT = {
  commandExpired: damped(
    "No newer command came before the last one expired",
    `See why the commander was late (\`./cerebellum doctor\` measures this computer). ${PICK_UP}`,
  ),
  commandMalformed: damped(
    "The lease holder sent a command that is not finite, breaks the rules of the servo link, or asks for more torque than `servo.torqueDemandMaxNm`",
    `Mend the commander: its numbers are not to be trusted. ${PICK_UP}`,
  ),
  deviceStateOld: damped(
    "The device's state is older than `servo.stateAgeMsMax`",
    `Check the network to the device and the load of this computer. ${PICK_UP}`,
  ),
  leaseSilent: as("leaseSilent"),
  commanderGone: damped(
    "The lease holder ended, crashed, or gave the robot back while it did not stand still (`servo.release`)",
    PICK_UP,
  ),
  leaseRevoked: as("leaseRevoked"),
  supervisorSilent: damped(
    "The daemon said nothing for longer than `servo.supervisorSilenceMsMax`: nobody could have stopped the robot",
    `See the daemon's log and this computer's load. ${PICK_UP}`,
  ),
  supervisorGone: damped(
    "The daemon's connection closed while somebody commanded: it ended or crashed",
    `Start the daemon again. ${PICK_UP}`,
  ),
  trackingError: damped(
    "A joint was so far from its target that its stiffness asked for more than `servo.torqueDemandMaxNm`: blocked, falling, or a wrong reading",
    `Look at the robot. ${PICK_UP}`,
  ),
} as const satisfies Partial<Record<TriggerName, Trigger>>;

export const LEG_TRIGGERS: Readonly<Record<TriggerName, Trigger>> = { ...TRIGGERS, ...DIFFERENT };

/** The table that holds for a robot. */
export const triggersOf = (isOnLegs: boolean): Readonly<Record<TriggerName, Trigger>> =>
  isOnLegs ? LEG_TRIGGERS : TRIGGERS;
