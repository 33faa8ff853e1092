/** One sentence on how the chosen source moves the robot, and whether it is there. */
import { useEffect, useState } from "preact/hooks";
import { chooseSpaceMouse, type HidLike } from "../sources/spaceMouseSource.js";
import { useApp } from "../state/context.js";
import type { PageSource } from "../state/driveControl.js";
import { useValue } from "../state/value.js";

export function SourceHelp({ source, walks = false }: { source: PageSource; walks?: boolean }) {
  if (source === "gamepad") return <GamepadHelp walks={walks} />;
  if (source === "spacemouse") return <SpaceMouseHelp />;
  return (
    <p class="quiet">
      Hold <kbd class="key">Shift</kbd> and press <kbd class="key">W A S D</kbd>,{" "}
      {!walks && (
        <>
          up and down with <kbd class="key">E Q</kbd>,{" "}
        </>
      )}
      turn with the arrows; let go to {walks ? "stand" : "hold still"}. Or press and drag a pad.
    </p>
  );
}

function GamepadHelp({ walks }: { walks: boolean }) {
  const app = useApp();
  const [name, setName] = useState("");
  useEffect(() => app.clock.every(500, () => setName(app.drive.gamepad.pad?.id ?? "")), [app]);
  return (
    <p class="quiet">
      {name === "" ? "No gamepad yet: connect it and press a button. " : `${name.slice(0, 40)}. `}
      {walks
        ? "Hold the left bumper to walk: left stick forward and sideways, right stick turns."
        : "Hold the left bumper to move: left stick along the table, right stick up, down and turn; with the right bumper the left stick tips. Right trigger: gripper."}
    </p>
  );
}

/** WebHID is Chromium's, and needs a secure page; without it the device is of no use here. */
function SpaceMouseHelp() {
  const app = useApp();
  const { spaceMouse, spaceMouseName } = app.drive;
  const name = useValue(spaceMouseName);
  if (!("hid" in navigator))
    return (
      <p class="quiet">
        This browser has no WebHID. Use Chrome or Edge on https or localhost, or drive by keyboard.
      </p>
    );
  const choose = async () => {
    const hid = (navigator as unknown as { hid: HidLike }).hid;
    try {
      spaceMouseName.set(await chooseSpaceMouse(hid, spaceMouse, () => spaceMouseName.set("")));
    } catch (error) {
      app.toast(
        "error",
        `The SpaceMouse does not open: ${error instanceof Error ? error.message : String(error)}`,
        "Close other programs that use it; on Linux allow this user its hidraw device by a udev rule",
      );
    }
  };
  return (
    <>
      <p class="quiet">
        {name === "" ? "" : `${name}. `}Hold its left button and lean on the knob; the right button is the
        gripper.
      </p>
      {name === "" && (
        <button type="button" class="button wide" onClick={() => void choose()}>
          Choose the SpaceMouse
        </button>
      )}
    </>
  );
}
