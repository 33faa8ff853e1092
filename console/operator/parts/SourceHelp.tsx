/** One sentence on how the chosen source moves the arm, and whether it is there. */
import { useEffect, useState } from "preact/hooks";
import { SPACEMOUSE_FILTERS } from "../sources/spaceMouseSource.js";
import { useApp } from "../state/context.js";
import type { PageSource } from "../state/driveControl.js";

export function SourceHelp({ source }: { source: PageSource }) {
  if (source === "gamepad") return <GamepadHelp />;
  if (source === "spacemouse") return <SpaceMouseHelp />;
  return (
    <p class="quiet">
      Hold <kbd class="key">Shift</kbd> and press the keys below the picture; let go to hold still. Or press
      and drag a pad.
    </p>
  );
}

function GamepadHelp() {
  const app = useApp();
  const [name, setName] = useState("");
  useEffect(() => app.clock.every(500, () => setName(app.drive.gamepad.pad?.id ?? "")), [app]);
  return (
    <p class="quiet">
      {name === "" ? "No gamepad yet: connect it and press a button. " : `${name.slice(0, 40)}. `}
      Hold the left bumper to move: left stick along the table, right stick up, down and turn; with the right
      bumper the left stick tips. Right trigger: gripper.
    </p>
  );
}

/** WebHID is Chromium's, and needs a secure page; without it the device is of no use here. */
function SpaceMouseHelp() {
  const { drive } = useApp();
  const [name, setName] = useState("");
  if (!("hid" in navigator))
    return (
      <p class="quiet">
        This browser has no WebHID. Use Chrome or Edge on https or localhost, or drive by keyboard.
      </p>
    );
  const connect = async () => {
    const hid = (navigator as unknown as { hid: HidLike }).hid;
    const [device] = await hid.requestDevice({ filters: SPACEMOUSE_FILTERS });
    if (device === undefined) return;
    await device.open();
    device.addEventListener("inputreport", ({ reportId, data }) => drive.spaceMouse.report(reportId, data));
    hid.addEventListener("disconnect", (event) => {
      if (event.device !== device) return;
      drive.spaceMouse.disconnect();
      setName("");
    });
    setName(device.productName);
  };
  return (
    <>
      <p class="quiet">
        {name === "" ? "" : `${name}. `}Hold its left button and lean on the knob; the right button is the
        gripper.
      </p>
      {name === "" && (
        <button type="button" class="button wide" onClick={() => void connect().catch(() => setName(""))}>
          Choose the SpaceMouse
        </button>
      )}
    </>
  );
}

interface HidDeviceLike {
  readonly productName: string;
  open(): Promise<void>;
  addEventListener(
    kind: "inputreport",
    listener: (event: { readonly reportId: number; readonly data: DataView }) => void,
  ): void;
}
interface HidLike {
  requestDevice(options: { filters: readonly object[] }): Promise<HidDeviceLike[]>;
  addEventListener(kind: "disconnect", listener: (event: { readonly device: unknown }) => void): void;
}
