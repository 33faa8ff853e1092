"""Controllers and trackers of a running SteamVR, through the module openvr. Reads only; SteamVR is never started."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from cerebellum_vive_bridge.pose import Hand, Pose, Sample, pose_from_matrix
from cerebellum_vive_bridge.source import SourceLostError

#: OpenVR's longest pulse is a little under 4 ms; pulses at the loop's rate feel like one buzz.
PULSE_US_MAX = 3900
#: Which devices are there changes when somebody switches one on.
LOOK_S = 1.0
#: A trackpad press above or below its middle by more than this is a button.
PAD_MIDDLE = 0.2


@dataclass(frozen=True)
class DeviceInfo:
    """A device as SteamVR lists it."""

    index: int
    serial: str
    kind: str
    role: str


@dataclass(frozen=True)
class HandChoice:
    """Serials that a person has chosen for a hand; empty = as SteamVR assigns them."""

    pose: str = ""
    buttons: str = ""


class SteamVrSource:
    """Raises SourceLostError while SteamVR is not there."""

    def __init__(self, choices: dict[str, HandChoice] | None = None, module: ModuleType | None = None) -> None:
        self._openvr: Any = module if module is not None else load_openvr()
        self._choices = choices or {}
        try:
            self._system = self._openvr.init(self._openvr.VRApplication_Background)
        except Exception as error:
            # One class for each of SteamVR's reasons: not installed, not running, no driver ...
            raise SourceLostError(f"SteamVR is not running ({type(error).__name__}). Start SteamVR") from error
        self._poses = (self._openvr.TrackedDevicePose_t * self._openvr.k_unMaxTrackedDeviceCount)()
        self._event = self._openvr.VREvent_t()
        self._devices: list[DeviceInfo] = []
        self._looked_s: float | None = None
        #: Serials of devices that have told their buttons.
        self._told: set[str] = set()

    def read(self) -> Sample:
        openvr = self._openvr
        while self._system.pollNextEvent(self._event):
            if self._event.eventType == openvr.VREvent_Quit:
                self._system.acknowledgeQuit_Exiting()
                raise SourceLostError("SteamVR is closing. Start it again")
        self._system.getDeviceToAbsoluteTrackingPose(openvr.TrackingUniverseStanding, 0.0, self._poses)
        # Fine on every system; time.monotonic steps by 15.6 ms on Windows before Python 3.13.
        device_time_ms = time.perf_counter_ns() / 1e6
        now_s = device_time_ms / 1000
        if self._looked_s is None or now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._devices = self.devices()
        hands = [hand for name in ("left", "right") for hand in [self._hand(name)] if hand is not None]
        return Sample(device_time_ms=device_time_ms, hands=hands)

    def devices(self) -> list[DeviceInfo]:
        """Controllers, trackers and the headset that SteamVR knows now."""
        openvr = self._openvr
        kinds = {
            openvr.TrackedDeviceClass_HMD: "headset",
            openvr.TrackedDeviceClass_Controller: "controller",
            openvr.TrackedDeviceClass_GenericTracker: "tracker",
            openvr.TrackedDeviceClass_TrackingReference: "base station",
        }
        roles = {
            openvr.TrackedControllerRole_LeftHand: "left",
            openvr.TrackedControllerRole_RightHand: "right",
        }
        found = []
        for index in range(openvr.k_unMaxTrackedDeviceCount):
            kind = kinds.get(self._system.getTrackedDeviceClass(index))
            if kind is None:
                continue
            role = roles.get(self._system.getControllerRoleForTrackedDeviceIndex(index), "")
            found.append(DeviceInfo(index, self._serial(index), kind, role))
        return found

    def tracking_text(self, device: DeviceInfo) -> str:
        """Whether a device is tracked, for people."""
        raw = self._poses[device.index]
        if not raw.bDeviceIsConnected:
            return "switched off"
        return "tracked" if self._is_tracked(raw) else f"not tracked (result {raw.eTrackingResult})"

    def pulse(self, hand: str, strength: float) -> None:
        device = self._device_for(hand, "buttons")
        if device is None:
            return
        duration_us = int(PULSE_US_MAX * min(1.0, max(0.0, strength)))
        if duration_us > 0:
            self._system.triggerHapticPulse(device.index, 0, duration_us)

    def close(self) -> None:
        self._openvr.shutdown()

    def _serial(self, index: int) -> str:
        try:
            return str(self._system.getStringTrackedDeviceProperty(index, self._openvr.Prop_SerialNumber_String))
        except Exception:
            return f"device-{index}"

    def _device_for(self, hand: str, what: str) -> DeviceInfo | None:
        choice = self._choices.get(hand, HandChoice())
        serial = choice.pose if what == "pose" else choice.buttons or choice.pose
        if serial:
            return next((one for one in self._devices if one.serial == serial), None)
        controllers = [one for one in self._devices if one.kind == "controller"]
        assigned = next((one for one in controllers if one.role == hand), None)
        if assigned is not None:
            return assigned
        # A single controller, or a single tracker, that SteamVR gave no side to is the right hand.
        free = [one for one in self._devices if one.kind in ("controller", "tracker") and one.role == ""]
        others = [one for one in controllers if one.role != ""]
        return free[0] if hand == "right" and len(free) == 1 and not others else None

    def _hand(self, name: str) -> Hand | None:
        holder = self._device_for(name, "pose")
        if holder is None:
            return None
        raw = self._poses[holder.index]
        pose = pose_from_matrix(_rows(raw)) if raw.bPoseIsValid else None
        buttons = self._device_for(name, "buttons")
        device = "" if buttons is None else f"{holder.serial} {buttons.serial}"
        state = self._state(buttons)
        tracked = pose is not None and self._is_tracked(raw)
        if state is None:
            # A clutch that cannot be read has not been opened. A tracker alone has none, and is good for calibrating.
            has_none = buttons is holder and holder.kind == "tracker" and holder.serial not in self._told
            return Hand(name, tracked=tracked and has_none, pose=pose, device=device)
        return replace(self._with_buttons(name, tracked, pose, state), device=device)

    def _state(self, device: DeviceInfo | None) -> Any:
        """Buttons of a device that is connected and tells them."""
        if device is None or not self._poses[device.index].bDeviceIsConnected:
            return None
        ok, state = self._system.getControllerState(device.index)
        if not ok:
            return None
        self._told.add(device.serial)
        return state

    def _with_buttons(self, name: str, tracked: bool, pose: Pose | None, state: Any) -> Hand:
        openvr = self._openvr

        def is_pressed(button: int) -> bool:
            return bool(state.ulButtonPressed >> button & 1)

        pad_x, pad_y = float(state.rAxis[0].x), float(state.rAxis[0].y)
        pad = is_pressed(openvr.k_EButton_SteamVR_Touchpad)
        return Hand(
            name,
            tracked=tracked,
            pose=pose,
            clutch=1.0 if is_pressed(openvr.k_EButton_Grip) else 0.0,
            gripper=float(state.rAxis[1].x),
            a=pad and pad_y > PAD_MIDDLE,
            b=is_pressed(openvr.k_EButton_ApplicationMenu),
            stick_pressed=pad and pad_y < -PAD_MIDDLE,
            stick=(pad_x, pad_y),
        )

    def _is_tracked(self, raw: Any) -> bool:
        return bool(
            raw.bDeviceIsConnected
            and raw.bPoseIsValid
            and raw.eTrackingResult == self._openvr.TrackingResult_Running_OK
        )


def load_openvr() -> ModuleType:
    """The module openvr. Raises SourceLostError with what to do when it cannot be loaded."""
    try:
        import openvr
    except Exception as error:
        raise SourceLostError(
            f"The Python module openvr cannot be loaded ({error}). Install it: pip install openvr"
        ) from error
    return openvr


def _rows(raw: Any) -> list[list[float]]:
    matrix = raw.mDeviceToAbsoluteTracking
    return [[matrix[row][column] for column in range(4)] for row in range(3)]
