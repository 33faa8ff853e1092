/** The parts of a servo process that drives an Allegro Hand. */
import { entryUrl } from "../../core/entry.js";
import type { AllegroConfig } from "../../drivers/allegro/config.js";
import { AllegroDriver } from "../../drivers/allegro/driver.js";
import { openCanBus } from "../../drivers/can/config.js";
import type { ServoConfig } from "../../runtime/servo/config.js";
import { systemClock } from "../systemClock.js";
import { GuardianProcess } from "./guardianProcess.js";
import { HandBody } from "./handBody.js";

export function allegroDevice(robot: string, config: AllegroConfig, servo: ServoConfig) {
  const { can, stallMsMax } = config;
  const guardian = new GuardianProcess(
    { robot, can, silenceMsMax: stallMsMax, realtimePriority: servo.realtimePriority },
    entryUrl("../processes/allegroGuardianMain.js", import.meta.url),
    systemClock,
  );
  return {
    driver: new AllegroDriver(config, {
      clock: systemClock,
      openBus: openCanBus(can, systemClock),
      guardian,
    }),
    body: new HandBody(servo.workspace),
    address: `allegro-${can.slcan?.path ?? can.socketcan?.interface}`,
  };
}
