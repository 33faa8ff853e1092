/** What the bundle of a history policy says about itself, as rows for people. */
import type { HistoryBundle } from "../../policies/history/bundle.js";
import { observationId } from "../../policies/history/slots.js";

export function describeHistoryBundle(bundle: HistoryBundle): [label: string, value: string][] {
  const { manifest, goldens, fileBytes } = bundle;
  const { observation, action, history, command, start, provenance, model, robot } = manifest;
  const totalBytes = [...fileBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const perQuantity = (["position", "stiffness", "damping"] as const).map(
    (quantity) => `${action.slots.filter((slot) => slot.quantity === quantity).length} ${quantity}`,
  );
  const overwritten = action.slots.filter((slot) => slot.overwritten).map(({ joint }) => joint);
  return [
    ["policy", `${manifest.name} (${manifest.kind}), task ${manifest.task}`],
    ["", manifest.description],
    ["motion", `${manifest.motion}: ${manifest.motionReason}`],
    ["robot", `${robot.device}: ${robot.joints.length} motors, ${robot.passiveJoints.length} joints without`],
    ["rate", `${manifest.rateHz} Hz; a command is valid for ${manifest.expiryMs} ms`],
    [
      "network",
      `${manifest.parameters} weights, ${model.inference}, ${JSON.stringify(manifest.architecture)}`,
    ],
    ["observation", `${observation.length} slots: ${runs(observation.map(observationId))}`],
    ["action", `${action.slots.length} slots: ${perQuantity.join(", ")}`],
    ...(overwritten.length === 0
      ? []
      : [["", `overwritten by fixed numbers: ${overwritten.join(", ")}`] as [string, string]]),
    [
      "history",
      `${history.steps} tokens of observation and previous action (${history.previousAction}), begun by ${history.fill}`,
    ],
    ...(manifest.clock === undefined
      ? []
      : [["clock", `period ${manifest.clock.periodS} s`] as [string, string]]),
    ...(command === undefined
      ? []
      : [
          [
            "velocity",
            `forward ${command.range.forwardMPerS.join(" to ")} m/s, left ${command.range.leftMPerS.join(" to ")} m/s, ` +
              `yaw ${command.range.yawRateRadPerS.join(" to ")} rad/s; zero below ${Object.values(command.cutoff).join(", ")}, ` +
              `or older than ${command.staleMs} ms`,
          ] as [string, string],
        ]),
    [
      "start pose",
      `${start.positionRad.join(" ")} rad, within ${start.toleranceRad} rad; ${start.blendMs} ms from its gains to the policy's`,
    ],
    ["goldens", `${goldens.cases.length} runs`],
    ["made by", `${provenance.trainer}, weights ${provenance.weights}`],
    ["notes", provenance.notes],
    ["files", `${fileBytes.size} with matching checksums, ${(totalBytes / 1e6).toFixed(1)} MB`],
  ];
}

/** Slots of one source in a row are told once, with their number. */
function runs(ids: readonly string[]): string {
  const found: { readonly source: string; count: number }[] = [];
  for (const id of ids) {
    const source = id.replace(/:[^@]*/, "");
    const last = found.at(-1);
    if (last?.source === source) last.count++;
    else found.push({ source, count: 1 });
  }
  return found.map(({ source, count }) => `${count} ${source}`).join(", ");
}
