/** What an export says about itself, beside the data: what its columns mean, how exact they are, where they came from. */
import type { ExportResult } from "./exportEpisodes.js";
import type { ActionColumn } from "./streams.js";

export const EXPORT_SCHEMA = "cerebellum/export@1";

const ACTION_MEANS: Readonly<Record<ActionColumn, string>> = {
  sent: "setpoint that had left for the device, of the newest servo tick at or before the next frame's time",
  limited: "what the limiter let through, of the newest servo tick at or before the next frame's time",
  requested:
    "target of the commander before any limit, of the newest servo tick at or before the next frame's time",
  measured: "measured positions, interpolated linearly at the next frame's time",
};

/** @param extra of one form */
export function provenance(result: ExportResult, extra: Readonly<Record<string, unknown>> = {}): object {
  const { layout, action, rateHz } = result;
  const columns = (found: readonly { name: string; unit: string }[]) =>
    found.map(({ name, unit }) => ({ name, unit }));
  return {
    schema: EXPORT_SCHEMA,
    program: result.program,
    form: result.form,
    ...extra,
    rateHz,
    robot: { model: layout.robotModel, jointNames: layout.jointNames },
    meaning: {
      time: `frame k lies at firstFrameNs + k / ${rateHz} s, in capture time: stamps less the recorded latency; for a stream of clock "other" recovered from stamps and receipts, to within captureErrorMs`,
      images: "newest captured at or before the frame's time; never from the future",
      state:
        "measured, interpolated linearly at the frame's time between the measurements before and after it",
      action: `absolute positions for the next frame's time: ${ACTION_MEANS[action]}`,
      gripper:
        "opening in metres: measured in the state; in the action the newest commanded, or measured while none was commanded or the action is `measured`",
      label:
        layout.columns.label.length === 0
          ? "not exported"
          : "label_rad of the newest policy step that began at or before the frame's time; NaN before the first",
      resampling: {
        "images.<camera>.ageMs": "frame time less capture time",
        "state.timeMs": "distance to the nearest measurement",
        "action.timeMs": "age of the tick that the action is of",
        "lost.<column>":
          "|recorded - straight line between the two frames around it| over everything recorded between frames, in the column's unit",
      },
    },
    action,
    columns: {
      state: columns(layout.columns.state),
      action: columns(layout.columns.action),
      label: columns(layout.columns.label),
    },
    cameras: layout.cameras,
    notices: result.notices,
    frameCount: result.frameCount,
    episodes: result.episodes.map(({ index, ...rest }) => ({ episodeIndex: index, ...rest })),
    leftOut: result.leftOut,
  };
}
