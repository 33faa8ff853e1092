/** What each joint was asked for, sent and measured, with the servo's state and the limiter's reasons above. */
import type { EpisodeReader } from "../episodeReader.js";
import { finish, overlayOf, phaseLane } from "./annotations.js";
import type { Gathered, JointStream, JointTraces } from "./gathered.js";
import { describe, heading, type Standing } from "./heading.js";
import { Sheet } from "./panel.js";
import { COLOURS } from "./svg.js";

/** From the back to the front: what was measured is a broad shadow, on which a difference shows at once. */
const STREAM_STYLES: Readonly<Record<JointStream, { colour: string; widthPx: number; dash?: string }>> = {
  measured: { colour: "#b4b4b4", widthPx: 5 },
  requested: { colour: COLOURS.orange, widthPx: 1.8 },
  sent: { colour: COLOURS.blue, widthPx: 1.5 },
  limited: { colour: COLOURS.green, widthPx: 2.2, dash: "1 7" },
};
const STATE_COLOURS: Readonly<Record<string, string>> = {
  following: COLOURS.sky,
  holding: "#d0d0d0",
  stopping: COLOURS.orange,
  stopped: COLOURS.orange,
  faulted: COLOURS.vermillion,
};

/** One panel a joint, with the servo's state and the limiter's reasons above. */
export function drawJoints(
  reader: EpisodeReader,
  gathered: Gathered,
  standing: Standing,
  name: string,
  joints: JointTraces,
): string {
  const sheet = new Sheet(gathered.durationS);
  const kind = joints.robot === undefined ? name : `${name} (${joints.robot.model})`;
  sheet.title(heading(reader, `joints of ${kind}`), describe(reader, standing));
  const streams = (Object.keys(STREAM_STYLES) as JointStream[]).filter(
    (stream) => joints.streams[stream] !== undefined,
  );
  const hasBands = joints.reasons.names.length > 0;
  sheet.legend([
    ...streams.map((stream) => ({ name: stream, ...STREAM_STYLES[stream] })),
    ...(hasBands
      ? [
          {
            name: "sent is not what was requested, for the reasons below",
            colour: COLOURS.vermillion,
            isBand: true,
          },
        ]
      : []),
  ]);
  const overlay = overlayOf(reader, gathered, standing, joints);
  if (joints.states.names.length > 0)
    sheet.lane("servo state", joints.states, (state) => STATE_COLOURS[state] ?? "#ececec");
  phaseLane(sheet, gathered.policy);
  for (const reason of joints.reasons.names)
    sheet.lane(reason, joints.reasons.only(reason), () => COLOURS.vermillion, false);
  sheet.eventNumbers(overlay.events);
  const heightPx = joints.names.length > 8 ? 76 : 104;
  joints.names.forEach((title, joint) => {
    sheet.panel(
      {
        title,
        unit: "rad",
        heightPx,
        spanMin: 0.02,
        strokes: streams.map((stream) => ({
          trace: joints.streams[stream]![joint]!,
          ...STREAM_STYLES[stream],
          mayBeCut: stream === "requested",
        })),
        bounds: [joints.robot?.positionMinRad[joint], joints.robot?.positionMaxRad[joint]].filter(
          (bound) => bound !== undefined,
        ),
      },
      overlay,
    );
  });
  return finish(sheet, gathered);
}
