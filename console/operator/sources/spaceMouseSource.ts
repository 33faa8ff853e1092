/**
 * A 3Dconnexion SpaceMouse by WebHID. Reports: 1 = translation, or all six axes in 12 bytes; 2 = rotation; 3 = buttons;
 * little-endian int16, about ±350 at full deflection. Its left button is the clutch: a knob that is leaned on must
 * not move an arm. A device that falls silent while its knob is off centre has been unplugged.
 * Source of the layout: the libspnav and hidapi communities' descriptions; devices 0x256f:* and 0x046d:0xc62*.
 */
import { AT_REST, type DriveInput, type DriveSource, withoutDeadzone } from "./driveInput.js";

const FILTERS = [{ vendorId: 0x256f }, { vendorId: 0x046d, usagePage: 0x01, usage: 0x08 }];
const FULL_COUNTS = 350;
const DEADZONE = 0.06;
/** While the knob is off centre the device reports at least every 16 ms or so. */
export const SILENT_MS_MAX = 250;

export class SpaceMouseSource implements DriveSource {
  readonly #nowMs: () => number;
  readonly #onGripper: () => void;
  readonly #counts = new Int16Array(6);
  #buttons = 0;
  #mustLetGo = true;
  #reportMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number, onGripper: () => void) {
    this.#nowMs = nowMs;
    this.#onGripper = onGripper;
  }

  report(reportId: number, data: DataView): void {
    this.#reportMs = this.#nowMs();
    if (reportId === 3) this.#takeButtons(data.byteLength > 0 ? data.getUint8(0) : 0);
    const first = reportId === 2 ? 3 : 0;
    if (reportId !== 1 && reportId !== 2) return;
    for (let index = 0; index < Math.min(6 - first, Math.floor(data.byteLength / 2)); index++)
      this.#counts[first + index] = data.getInt16(2 * index, true);
  }

  release(): void {
    this.#mustLetGo = true;
  }

  disconnect(): void {
    this.#counts.fill(0);
    this.#buttons = 0;
    this.release();
  }

  read(): DriveInput {
    const isDown = (this.#buttons & 1) !== 0;
    if (!isDown) this.#mustLetGo = false;
    const isCentred = this.#counts.every((count) => Math.abs(count) < DEADZONE * FULL_COUNTS);
    if (isDown && !isCentred && this.#nowMs() - this.#reportMs > SILENT_MS_MAX) this.release();
    if (!isDown || this.#mustLetGo) return AT_REST;
    const [x = 0, y = 0, z = 0, pitch = 0, roll = 0, yaw = 0] = [...this.#counts].map((count) =>
      withoutDeadzone(count / FULL_COUNTS, DEADZONE),
    );
    // The device: x right, y towards the person, z down. The base frame: x away, y left, z up.
    return { isHeld: true, linear: [-y, -x, -z], angular: [-roll, -pitch, -yaw] };
  }

  #takeButtons(buttons: number): void {
    if ((buttons & 2) !== 0 && (this.#buttons & 2) === 0) this.#onGripper();
    this.#buttons = buttons;
  }
}

/** What is used of WebHID, which TypeScript's library does not know. */
export interface HidDeviceLike {
  readonly productName: string;
  readonly opened: boolean;
  open(): Promise<void>;
  addEventListener(
    kind: "inputreport",
    listener: (event: { readonly reportId: number; readonly data: DataView }) => void,
  ): void;
}
type OnDisconnect = (event: { readonly device: unknown }) => void;
export interface HidLike {
  requestDevice(options: { filters: readonly object[] }): Promise<HidDeviceLike[]>;
  addEventListener(kind: "disconnect", listener: OnDisconnect): void;
  removeEventListener(kind: "disconnect", listener: OnDisconnect): void;
}

/**
 * Lets the person choose a device, and listens to it until it is unplugged. Empty when none was chosen.
 * @throws what the browser says when it cannot be opened
 */
export async function chooseSpaceMouse(
  hid: HidLike,
  source: SpaceMouseSource,
  onGone: () => void,
): Promise<string> {
  const [device] = await hid.requestDevice({ filters: FILTERS });
  if (device === undefined) return "";
  // Opened by this page already: it is heard, and a second opening would be refused.
  if (device.opened) return device.productName;
  await device.open();
  device.addEventListener("inputreport", ({ reportId, data }) => source.report(reportId, data));
  const onDisconnect: OnDisconnect = (event) => {
    if (event.device !== device) return;
    hid.removeEventListener("disconnect", onDisconnect);
    source.disconnect();
    onGone();
  };
  hid.addEventListener("disconnect", onDisconnect);
  return device.productName;
}
