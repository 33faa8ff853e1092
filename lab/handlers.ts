/** What the lab does for each request of its control socket, and what it refuses: one row a request. */
import { CerebellumError } from "../core/errors.js";
import type { LabAnswer, LabRequest } from "./control/protocol.js";
import type { Lab, LabArm } from "./lab.js";
import { TABLE_NAMES, type TableName } from "./world/scene.js";
import { reportFrames, reportSetpoints } from "./xarm7/wireReport.js";

type Answer = Omit<Extract<LabAnswer, { ok: true }>, "ok">;
type Of<Name extends LabRequest["do"]> = Extract<LabRequest, { do: Name }>;
type Handler<Request> = (lab: Lab, request: Request) => Promise<Answer>;

export const answerTo = (lab: Lab, request: LabRequest): Promise<Answer> =>
  (HANDLERS[request.do] as Handler<LabRequest>)(lab, request);

const HANDLERS: { readonly [Name in LabRequest["do"]]: Handler<Of<Name>> } = {
  truth: async (lab) => {
    needTable(lab);
    return { truth: await lab.truth() };
  },
  scene: async (lab, { seed, light, blockM, object }) => {
    const props = needTable(lab);
    await lab.setScene({ props, seed, light, blockM, object });
    return { truth: await lab.truth() };
  },
  handTruth: async (lab) => {
    needObject(lab);
    return { handTruth: await lab.handTruth() };
  },
  handScene: async (lab, { do: _, ...scene }) => {
    const { side } = needObject(lab);
    await lab.setScene({ props: "palm", side, ...scene });
    return { handTruth: await lab.handTruth() };
  },
  pose: async (lab, { positionRad }) => {
    if (armOf(lab).plant.enabled) {
      throw new CerebellumError(
        "LAB_REFUSED",
        "The simulated arm is enabled; it moves only as it is commanded",
        "Disable it first",
      );
    }
    await lab.teleport(positionRad);
    return {};
  },
  handPose: async (lab, { positionRad }) => {
    needHand(lab);
    await lab.teleportHand(positionRad);
    return {};
  },
  push: async (lab, { on, forceN, ms }) => {
    if (on === "tool") armOf(lab);
    else needObject(lab);
    await lab.push(on, forceN, ms);
    return {};
  },
  armFault: async (lab, { errorCode }) => {
    armOf(lab).emulator.injectError(errorCode);
    return {};
  },
  handFault: async (lab, request) => ({ hand: await needHand(lab).askHand(request) }),
  handStatus: async (lab, request) => ({ hand: await needHand(lab).askHand(request) }),
  handWire: async (lab, request) => ({ hand: await needHand(lab).askHand(request) }),
  digitTruth: async () => noDigit(),
  digitScene: async () => noDigit(),
  digitFault: async () => noDigit(),
  digitStatus: async () => noDigit(),
  digitWire: async () => noDigit(),
  camera: async (lab, { action }) => {
    await lab.askCameras({ do: "action", action });
    return {};
  },
  snapshot: async (lab, { camera, file }) => {
    await lab.savePicture(camera, file);
    return {};
  },
  step: async (lab, { ms }) => {
    await lab.step(ms);
    return lab.world.props === "palm" ? { handTruth: await lab.handTruth() } : { truth: await lab.truth() };
  },
  ports: async (lab) => ({ ports: lab.ports }),
  wire: async (lab, { form, since, clear }) => {
    const { emulator } = armOf(lab);
    const setpoints = reportSetpoints(emulator.setpoints.figures);
    const wire = { ...reportFrames(emulator, form, since), setpoints };
    if (clear) {
      emulator.wireLog.clear();
      emulator.setpoints.clear();
    }
    return { wire };
  },
};

function armOf(lab: Lab): LabArm {
  if (lab.arm !== undefined) return lab.arm;
  throw refused("This lab has no arm", "Ask a lab of a cell with an xArm7");
}

function needHand(lab: Lab): Lab {
  if (lab.world.hand !== undefined) return lab;
  throw refused("This lab has no hand", "Ask a lab of a cell with an Allegro Hand");
}

function needTable({ world: { props } }: Lab): TableName {
  if (props !== "palm") return props;
  throw refused(
    "This lab has no table of an arm",
    `Ask for handTruth and handScene, or start a cell whose lab.world is ${TABLE_NAMES.join(" or ")}`,
  );
}

function needObject(lab: Lab) {
  const { hand, props } = needHand(lab).world;
  if (hand !== undefined && props === "palm") return hand;
  throw refused(
    "This lab has no object on a palm",
    "Ask for truth and scene, or start a cell whose lab.world is palm",
  );
}

function noDigit(): never {
  throw refused("This lab has no Digit", "Ask a lab of a cell with a Digit");
}

const refused = (happened: string, remedy: string) => new CerebellumError("LAB_REFUSED", happened, remedy);
