/** Everything that somebody needs who moves a robot or watches it move. */
import "../parts/cards.css";
import "../parts/keys.css";
import "./drive.css";
import { useEffect, useState } from "preact/hooks";
import { kindOf } from "../../shared/joints.js";
import { CameraView } from "../parts/CameraView.js";
import { DriveKeys } from "../parts/DriveKeys.js";
import { EpisodeCard } from "../parts/EpisodeCard.js";
import { HandCard } from "../parts/HandCard.js";
import { JointStrip } from "../parts/JointStrip.js";
import { PolicyCard } from "../parts/PolicyCard.js";
import { RobotChoice, useRobot } from "../parts/RobotChoice.js";
import { TeachCard } from "../parts/TeachCard.js";
import { TeleopCard } from "../parts/TeleopCard.js";
import { WalkCard } from "../parts/WalkCard.js";
import { useApp } from "../state/context.js";
import { useValue } from "../state/value.js";
import { RobotView } from "../view3d/RobotView.js";

export function DrivePage() {
  const app = useApp();
  const welcome = useValue(app.welcome);
  const [large, setLarge] = useState(0);
  const robot = useRobot();
  const kind = robot === undefined ? "arm" : kindOf(robot);
  useEffect(() => {
    app.drive.isShown = true;
    return () => {
      app.drive.isShown = false;
      app.drive.release("another page was opened");
    };
  }, [app]);
  const cameras = welcome?.cameras ?? [];
  const first = cameras[large] ?? cameras[0];
  return (
    <div class="drive">
      <h1 class="unseen">Drive</h1>
      <div class={["cameras", "cameras one", "cameras two"][cameras.length] ?? "cameras"}>
        {first !== undefined && <CameraView key={first.camera} camera={first} />}
        {cameras.length > 1 && (
          <div class="others">
            {cameras.map(
              (camera, index) =>
                camera !== first && (
                  <CameraView key={camera.camera} camera={camera} isSmall onClick={() => setLarge(index)} />
                ),
            )}
          </div>
        )}
        {first === undefined && <p class="card quiet">This cell has no cameras.</p>}
      </div>
      {robot !== undefined && <RobotView robot={robot} />}
      <div class="below">
        {kind !== "hand" && <DriveKeys moves={kind === "legs" ? "walk" : "tool"} />}
        {robot !== undefined && <JointStrip robot={robot} />}
      </div>
      <aside class="side">
        <RobotChoice />
        {robot !== undefined && kind === "hand" && (
          <HandCard robot={robot.robot} carriedBy={robot.mount?.robot ?? null} />
        )}
        {robot !== undefined && kind === "arm" && <TeleopCard key={robot.robot} robot={robot.robot} />}
        {robot !== undefined && kind === "legs" && <WalkCard key={robot.robot} robot={robot.robot} />}
        <EpisodeCard />
        <PolicyCard />
        {robot !== undefined && kind === "arm" && <TeachCard robot={robot.robot} />}
      </aside>
    </div>
  );
}
