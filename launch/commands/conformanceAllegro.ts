/** Vectors of the Allegro Hand: CAN frames as such and as lines of SLCAN, and the laws around them. */
import { Comparison, type VectorCheck } from "../../core/vectorCheck.js";
import { checkFrameVector, frameOfVector } from "../../drivers/allegro/protocol/frameVectors.js";
import { checkLaws } from "../../drivers/allegro/protocol/lawVectors.js";
import { type FrameVector, HandVectorFile } from "../../drivers/allegro/protocol/vectorFile.js";
import { SlcanReader, slcanText } from "../../drivers/can/slcan.js";
import type { DeviceVectors } from "./conformanceDevices.js";

export const allegroVectors: DeviceVectors = {
  needs: "It needs a list `frames`, each frame with tag, name, hand, version, dir, id, rtr, dlc and data",
  partly: "only the frame and its text were checked, because the vector does not say what it means",
  replay(content) {
    const file = HandVectorFile.parse(content);
    const frames = file.frames.map(checkFrameVector);
    return {
      checks: [...frames, ...file.frames.flatMap(checkText), ...checkLaws(file)],
      partlyChecked: frames.filter((check) => !check.meaningKnown).map((check) => check.tag),
    };
  },
};

/** The line of SLCAN, written and read by the codec of the adapters. */
function checkText(vector: FrameVector): VectorCheck[] {
  if (vector.slcan === undefined) return [];
  const comparison = new Comparison(vector.tag);
  comparison.equal("slcan", vector.slcan, slcanText(frameOfVector(vector)));
  let read = "";
  const ignore = () => undefined;
  new SlcanReader({
    onFrame: (frame) => (read = slcanText(frame)),
    onRefused: ignore,
    onErrors: ignore,
    onBusState: ignore,
  }).push(Buffer.from(vector.slcan, "latin1"));
  comparison.equal("slcan read", slcanText(frameOfVector(vector)), read);
  return [comparison];
}
