/** Which robot of a cell with several a page is about; the same on every page. */
import type { RobotDescription } from "../../../core/gateway/server.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";
import { Choices } from "./Choices.js";

/** The chosen robot, or the first one; undefined before the daemon has told of any. */
export function useRobot(): RobotDescription | undefined {
  const app = useApp();
  const robots = useValue(app.welcome)?.robots ?? [];
  const chosen = useValue(app.robot);
  return robots.find(({ robot }) => robot === chosen) ?? robots[0];
}

/** Nothing in a cell with one robot. */
export function RobotChoice() {
  const app = useApp();
  const robots = useValue(app.welcome)?.robots ?? [];
  const shown = useRobot();
  const isDriving = useValue(app.drive.isDriving);
  if (robots.length < 2 || shown === undefined) return null;
  return (
    // A column that is full would press a row of buttons flat.
    <div>
      <Choices
        label="Robot"
        options={robots.map(({ robot }) => [robot, robot] as const)}
        chosen={shown.robot}
        onChoose={(robot) => {
          // What this page drives must stay before its driver's eyes.
          if (!isDriving) app.robot.set(robot);
        }}
      />
    </div>
  );
}
