/** What the controller does for each register that is not a motion, and the answer to every request. */
import {
  COMMON_SERVO_SPEED_FACTOR,
  type CommandRequest,
  encodeRawReply,
  encodeReply,
  MESSAGES,
  type MessageName,
  MODE,
  STATE_BYTE,
} from "../../drivers/xarm7/protocol/index.js";
import { XARM7_MODIFIED_DH } from "../../kinematics/xarm7.js";
import type { Controller, Origin } from "./controller.js";
import { sleepMove } from "./moveQueue.js";
import { MOTION_MODES, move, WARNING } from "./moves.js";
import { poseFromWire, poseToAxisAngle, poseToWire, solveToolPose, toolPose } from "./pose.js";
import type { Settings } from "./settings.js";

/** Values of the reply; "bad": a value outside its range; "invalid": no result. */
type Answer = readonly number[] | "bad" | "invalid";
type Handler = (controller: Controller, values: readonly number[], origin: Origin) => Answer;

const NOTHING: readonly number[] = [];

/** Registers that client software may ask but nothing here depends on: bytes of the reply, all zero. */
const SILENT_REGISTERS: ReadonlyMap<number, number> = new Map([
  [6, 4],
  [10, 0],
  [56, 0],
  [57, 1],
  [66, 0],
  [71, 0],
  [72, 0],
  [73, 0],
  [74, 0],
  [75, 0],
  [78, 0],
  [80, 0],
  [101, 0],
  [102, 4],
  [103, 0],
  [104, 4],
  [106, 16],
  [107, 4],
  [123, 0],
  [131, 2],
  [132, 2],
  [133, 2],
  [134, 0],
  [135, 0],
  [136, 0],
  [137, 0],
  [138, 0],
  [139, 34],
  [140, 6],
  [142, 0],
  [143, 0],
  [144, 0],
  [145, 0],
  [146, 0],
  [147, 0],
  [200, 24],
  [201, 0],
  [202, 0],
  [203, 1],
  [212, 280],
  [234, 10],
  [240, 0],
]);

/** Stores what was sent and answers nothing. */
const store =
  (change: (settings: Settings, values: readonly number[]) => void): Handler =>
  (controller, values) => {
    if (!values.every(Number.isFinite)) return "bad";
    change(controller.settings, values);
    controller.applySettings();
    return NOTHING;
  };

/** As `store`, and a system reset. */
const storeAndReset =
  (change: (settings: Settings, values: readonly number[]) => void): Handler =>
  (controller, values, origin) => {
    const answer = store(change)(controller, values, origin);
    if (answer !== "bad") controller.state.systemReset();
    return answer;
  };

/** As `store`, with the queue's length in the answer. */
const storeQueued =
  (change: (settings: Settings, values: readonly number[]) => void): Handler =>
  (controller, values, origin) => {
    const answer = store(change)(controller, values, origin);
    return answer === "bad" ? answer : [controller.motion.queue.count];
  };

const sensitivity = (smallest: number, change: (settings: Settings, value: number) => void): Handler => {
  const accepted = storeAndReset((settings, values) => change(settings, values[0]!));
  return (controller, values, origin) =>
    values[0]! < smallest || values[0]! > 5 ? "bad" : accepted(controller, values, origin);
};

const accepted = (ok: boolean): Answer => (ok ? NOTHING : "bad");

const HANDLERS: Partial<Record<MessageName, Handler>> = {
  getVersion: ({ versionBytes }) => versionBytes,
  getSerial: ({ serialBytes }) => serialBytes,
  getTorqueOrCurrent: ({ settings }) => [settings.reportCurrent ? 1 : 0],
  getApproximateMotion: () => [0],
  motionEnable: ({ state }, [axis, on]) => accepted(state.setEnabled(axis!, on === 1)),
  setState: ({ state }, [wish]) => accepted(state.setState(wish!)),
  getState: ({ state }) => [state.state],
  getQueueCount: ({ motion }) => [motion.queue.count],
  getErrorCodes: ({ state }) => [state.errorCode, state.warningCode],
  clearError: ({ state }) => {
    state.cleanError();
    return NOTHING;
  },
  clearWarning: ({ state }) => {
    state.cleanWarning();
    return NOTHING;
  },
  setBrake: ({ state }, [axis, on]) => accepted(state.setBrake(axis!, on === 1)),
  setMode: ({ state }, [mode]) => accepted(state.setMode(mode!)),
  sleep: ({ motion }, [durationS]) => {
    if (!Number.isFinite(durationS)) return "bad";
    const count = motion.addMove(
      sleepMove(motion.queue.count === 0 ? motion.setpointRad : motion.queue.endRad, durationS!),
    );
    return [count ?? motion.queue.count];
  },
  setToolJerk: storeQueued((settings, [value]) => (settings.toolJerkMmPerS3 = value!)),
  setToolAccelerationMax: storeQueued((settings, [value]) => (settings.toolAccelerationMaxMmPerS2 = value!)),
  setJointJerk: storeQueued((settings, [value]) => (settings.jointJerkRadPerS3 = value!)),
  setJointAccelerationMax: storeQueued(
    (settings, [value]) => (settings.jointAccelerationMaxRadPerS2 = value!),
  ),
  setToolOffset: storeAndReset((settings, values) => (settings.toolOffset = [...values])),
  setToolLoad: storeAndReset((settings, values) => (settings.toolLoad = [...values])),
  setCollisionSensitivity: sensitivity(0, (settings, value) => (settings.collisionSensitivity = value)),
  setTeachSensitivity: sensitivity(1, (settings, value) => (settings.teachSensitivity = value)),
  cleanConfiguration: (controller) => {
    controller.resetSettings();
    return NOTHING;
  },
  saveConfiguration: () => NOTHING,
  getToolPose: (controller) => controller.plannedPose(),
  getToolPoseAxisAngle: ({ motion }) => poseToAxisAngle(toolPose(motion.setpointRad, motion.toolOffset)),
  getJointStates: ({ motion, plant }, [wanted]) => {
    if (wanted === undefined) return [...motion.setpointRad];
    const parts = [plant.positionRad, plant.velocityRadPerS, plant.effortNm].slice(0, wanted & 0x0f);
    return parts.length === 0 ? "bad" : parts.flatMap((part) => [...part]);
  },
  inverseKinematics: ({ motion, limits }, values) => {
    const seedRad = values.length > 7 ? values.slice(7) : motion.setpointRad;
    const solved = solveToolPose(poseFromWire(values), motion.toolOffset, seedRad, limits);
    return solved === undefined ? "invalid" : [...solved];
  },
  forwardKinematics: ({ motion }, values) => poseToWire(toolPose(values, motion.toolOffset)),
  isJointLimit: ({ motion }, values) => [motion.withinLimits(values) ? 0 : 1],
  isToolLimit: ({ motion, limits }, values) => {
    const solved = solveToolPose(poseFromWire(values), motion.toolOffset, motion.setpointRad, limits);
    return [solved === undefined ? 1 : 0];
  },
  setReducedToolSpeed: store((settings, [value]) => (settings.reducedToolSpeedMmPerS = value!)),
  setReducedJointSpeed: store((settings, [value]) => (settings.reducedJointSpeedRadPerS = value!)),
  getReducedMode: ({ settings }) => [settings.reduced ? 1 : 0],
  setReducedMode: store((settings, [on]) => (settings.reduced = on === 1)),
  setGravityDirection: store((settings, values) => (settings.gravityDirection = [...values])),
  setReducedBounds: store((settings, values) => (settings.reducedBoundsMm = [...values])),
  getReducedState: ({ settings }) => reducedBytes(settings),
  getJointTorque: ({ plant }) => [...plant.effortNm],
  setReducedJointRange: store((settings, values) => (settings.reducedJointRangeRad = [...values])),
  setFence: store((settings, [on]) => (settings.fence = on === 1)),
  setCollisionRebound: store((settings, [on]) => (settings.rebound = on === 1)),
  getTrajectoryStatus: () => [0],
  getDhParameters: () =>
    XARM7_MODIFIED_DH.flatMap(({ alphaRad, aM, dM }) => [0, dM * 1000, alphaRad, aM * 1000]),
  getInMotion: ({ motion }) => [motion.moving() ? 1 : 0],
  setReportTorqueOrCurrent: store((settings, [value]) => (settings.reportCurrent = value === 1)),
  setSelfCollisionCheck: store((settings, [on]) => (settings.selfCollisionCheck = on === 1)),
  setSimulation: store((settings, [on]) => (settings.simulation = on === 1)),
  rs485: (controller, values) => {
    const answer = controller.tool.rtu(values);
    if (answer !== undefined) return answer;
    controller.toolSilent();
    return [values[0]!];
  },
  getToolError: ({ gripper }) => [gripper.errorCode === 0 ? 0 : 1, gripper.errorCode & 0xff],
  readTool16: (controller, [id, address]) => readTool(controller, id!, address!, 16),
  readTool32: (controller, [id, address]) => readTool(controller, id!, address!, 32),
  writeTool16: (controller, [id, address, value]) => writeTool(controller, id!, address!, value!, 16),
  writeTool32: (controller, [id, address, value]) => writeTool(controller, id!, address!, value!, 32),
  getHardwareTypes: () => [1, 1],
  setCommonParameter: (controller, [type, value]) => {
    if (type !== COMMON_SERVO_SPEED_FACTOR || !(value! > 0 && value! <= 2)) return "bad";
    controller.settings.servoSpeedFactor = value!;
    controller.applySettings();
    return NOTHING;
  },
  getCommonParameter: ({ settings }, [type]) =>
    type === COMMON_SERVO_SPEED_FACTOR ? [settings.servoSpeedFactor] : "invalid",
  checkFeedback: (controller, _values, origin) => {
    controller.tellNow(origin);
    return NOTHING;
  },
  setFeedbackType: store((settings, [type]) => (settings.feedbackType = type!)),
};

/** Executes a request and encodes its reply; the state byte is that after the execution. */
export function answer(
  controller: Controller,
  request: CommandRequest,
  send: (frame: Uint8Array) => void,
): Uint8Array {
  const { transactionId, protocolId, register, name, values } = request;
  const origin: Origin = { transactionId, protocolId, register, send };
  if (name === undefined) {
    const bytes = SILENT_REGISTERS.get(register);
    if (bytes === undefined) controller.state.warn(WARNING.unknownCommand);
    const zeros = new Uint8Array(bytes ?? 0);
    return encodeRawReply(transactionId, protocolId, register, controller.state.replyBits, zeros);
  }
  if (MESSAGES[name].motion) return answerMove(controller, request, name, origin);
  const readyBefore = controller.state.ready;
  const result = HANDLERS[name]?.(controller, values, origin) ?? "invalid";
  if (result === "bad") controller.state.warn(WARNING.badParameter);
  let bits = controller.state.replyBits | (typeof result === "string" ? STATE_BYTE.invalid : 0);
  // Client software judges this one as a motion, so its own reset must not make a ready arm look refusing.
  if (name === "setToolLoad" && readyBefore) bits &= ~STATE_BYTE.notReady;
  if (typeof result === "string") return encodeRawReply(transactionId, protocolId, register, bits);
  return encodeReply(transactionId, protocolId, name, bits, result);
}

function answerMove(
  controller: Controller,
  { transactionId, protocolId, values }: CommandRequest,
  name: MessageName,
  origin: Origin,
): Uint8Array {
  const { state } = controller;
  // Planned moves may be queued while paused; what is followed at once may not.
  const ready = state.ready && (!state.paused || state.mode === MODE.position);
  const allowed = ready && (MOTION_MODES[name]?.includes(state.mode) ?? false);
  const result = allowed ? move(controller, name, values, origin) : "refused";
  const bits = state.replyBits | (result === "refused" ? STATE_BYTE.notReady : 0);
  const carriesCount = MESSAGES[name].reply.codes.length > 0;
  const count = typeof result === "object" ? result : [controller.motion.queue.count];
  return encodeReply(transactionId, protocolId, name, bits, carriesCount ? count : NOTHING);
}

/** The answer to a request whose parameters have the wrong length: warning 12, nothing done. */
export function answerMalformed(
  controller: Controller,
  transactionId: number,
  protocolId: number,
  register: number,
): Uint8Array {
  controller.state.warn(WARNING.badParameter);
  const bits = controller.state.replyBits | STATE_BYTE.invalid;
  return encodeRawReply(transactionId, protocolId, register, bits);
}

function readTool(controller: Controller, id: number, address: number, bits: 16 | 32): Answer {
  const value = controller.tool.read(id, address, bits);
  if (value !== undefined) return [value];
  controller.toolSilent();
  return [0];
}

function writeTool(
  controller: Controller,
  id: number,
  address: number,
  value: number,
  bits: 16 | 32,
): Answer {
  if (!Number.isInteger(value)) return "bad";
  if (!controller.tool.write(id, address, value, bits)) controller.toolSilent();
  return NOTHING;
}

/** on u8, bounds 6 int16 big-endian, tool speed F, joint speed F, joint range 14 F, fence u8, rebound u8. */
function reducedBytes(settings: Settings): number[] {
  const bytes = new Uint8Array(79);
  const view = new DataView(bytes.buffer);
  bytes[0] = settings.reduced ? 1 : 0;
  for (const [i, value] of settings.reducedBoundsMm.entries()) view.setInt16(1 + 2 * i, value);
  view.setFloat32(13, settings.reducedToolSpeedMmPerS, true);
  view.setFloat32(17, settings.reducedJointSpeedRadPerS, true);
  for (const [i, value] of settings.reducedJointRangeRad.entries()) view.setFloat32(21 + 4 * i, value, true);
  bytes[77] = settings.fence ? 1 : 0;
  bytes[78] = settings.rebound ? 1 : 0;
  return Array.from(bytes);
}
