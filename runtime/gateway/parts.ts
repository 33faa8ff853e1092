/** The parts of a gateway, in the order in which they hear of clients and poses. */

import { calibrationPart } from "./calibrationPart.js";
import { cameraPart } from "./cameraPart.js";
import { controlPart } from "./controlPart.js";
import { eventsPart } from "./eventsPart.js";
import { foxglovePart } from "./foxglove/foxglovePart.js";
import { libraryPart } from "./library/libraryPart.js";
import { mqttPart } from "./mqtt/factory.js";
import { pairingPart } from "./pairingPart.js";
import type { PartFactory } from "./part.js";
import { rosTrackersPart } from "./rosTrackersPart.js";
import { steeringPart } from "./steeringPart.js";
import { telemetryPart } from "./telemetryPart.js";
import { teleopPart } from "./teleopPart.js";

export const PART_FACTORIES: readonly PartFactory[] = [
  teleopPart,
  steeringPart,
  rosTrackersPart,
  calibrationPart,
  mqttPart,
  telemetryPart,
  cameraPart,
  eventsPart,
  libraryPart,
  pairingPart,
  controlPart,
  foxglovePart,
];
