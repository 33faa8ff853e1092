"""A SteamVR that a test plays: the part of the module openvr that the bridge uses, with OpenVR's own numbers."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

VRApplication_Background = 3
VREvent_Quit = 700
TrackingUniverseStanding = 1
TrackingResult_Running_OK = 200
TrackingResult_Running_OutOfRange = 201
TrackedDeviceClass_Invalid = 0
TrackedDeviceClass_HMD = 1
TrackedDeviceClass_Controller = 2
TrackedDeviceClass_GenericTracker = 3
TrackedDeviceClass_TrackingReference = 4
TrackedControllerRole_LeftHand = 1
TrackedControllerRole_RightHand = 2
Prop_SerialNumber_String = 1002
k_EButton_ApplicationMenu = 1
k_EButton_Grip = 2
k_EButton_SteamVR_Touchpad = 32
k_unMaxTrackedDeviceCount = 64

IDENTITY = ((1.0, 0.0, 0.0, 0.1), (0.0, 1.0, 0.0, 1.2), (0.0, 0.0, 1.0, -0.3))


class TrackedDevicePose_t(ctypes.Structure):
    _fields_ = [
        ("mDeviceToAbsoluteTracking", (ctypes.c_float * 4) * 3),
        ("eTrackingResult", ctypes.c_int),
        ("bPoseIsValid", ctypes.c_bool),
        ("bDeviceIsConnected", ctypes.c_bool),
    ]


class VREvent_t(ctypes.Structure):
    _fields_ = [("eventType", ctypes.c_uint32)]


class _Axis(ctypes.Structure):
    _fields_ = [("x", ctypes.c_float), ("y", ctypes.c_float)]


class _State(ctypes.Structure):
    _fields_ = [("ulButtonPressed", ctypes.c_uint64), ("rAxis", _Axis * 5)]


@dataclass
class FakeDevice:
    serial: str
    device_class: int = TrackedDeviceClass_Controller
    role: int = 0
    matrix: tuple = IDENTITY
    result: int = TrackingResult_Running_OK
    valid: bool = True
    connected: bool = True
    #: Whether SteamVR tells its buttons.
    answers: bool = True
    #: A tracker's contacts.
    has_buttons: bool = False
    pressed: tuple = ()
    trigger: float = 0.0
    pad: tuple = (0.0, 0.0)
    pulses: list = field(default_factory=list)


class FakeOpenVr:
    """Stands for the module; `devices` by index."""

    def __init__(self) -> None:
        self.devices: dict[int, FakeDevice] = {}
        self.is_running = True
        self.events: list[int] = []
        self.starts = 0
        self.ends = 0
        self.acknowledged = 0
        for name, value in globals().items():
            if name.split("_")[0] in ("VRApplication", "VREvent", "TrackingUniverseStanding", "TrackingResult", "Prop"):
                setattr(self, name, value)
            if name.startswith(("TrackedDevice", "TrackedController", "k_")):
                setattr(self, name, value)

    def init(self, application: int) -> FakeOpenVr:
        assert application == VRApplication_Background
        if not self.is_running:
            raise RuntimeError("InitError_Init_NoServerForBackgroundApp")
        self.starts += 1
        return self

    def shutdown(self) -> None:
        self.ends += 1

    def pollNextEvent(self, event: VREvent_t) -> bool:
        if not self.events:
            return False
        event.eventType = self.events.pop(0)
        return True

    def acknowledgeQuit_Exiting(self) -> None:
        self.acknowledged += 1

    def getDeviceToAbsoluteTrackingPose(self, origin: int, ahead_s: float, poses) -> None:
        assert origin == TrackingUniverseStanding
        assert ahead_s == 0.0
        for index in range(k_unMaxTrackedDeviceCount):
            device = self.devices.get(index)
            poses[index].bDeviceIsConnected = device is not None and device.connected
            if device is None:
                continue
            poses[index].bPoseIsValid = device.valid
            poses[index].eTrackingResult = device.result
            for row in range(3):
                for column in range(4):
                    poses[index].mDeviceToAbsoluteTracking[row][column] = device.matrix[row][column]

    def getTrackedDeviceClass(self, index: int) -> int:
        device = self.devices.get(index)
        return TrackedDeviceClass_Invalid if device is None else device.device_class

    def getControllerRoleForTrackedDeviceIndex(self, index: int) -> int:
        return self.devices[index].role

    def getStringTrackedDeviceProperty(self, index: int, prop: int) -> str:
        assert prop == Prop_SerialNumber_String
        return self.devices[index].serial

    def getControllerState(self, index: int):
        device = self.devices[index]
        state = _State()
        state.ulButtonPressed = sum(1 << button for button in device.pressed)
        state.rAxis[0].x, state.rAxis[0].y = device.pad
        state.rAxis[1].x = device.trigger
        has_buttons = device.has_buttons or device.device_class == TrackedDeviceClass_Controller
        return device.answers and has_buttons, state

    def triggerHapticPulse(self, index: int, axis: int, duration_us: int) -> None:
        assert axis == 0
        self.devices[index].pulses.append(duration_us)
