"""The source against a SteamVR that is played: which device is which hand, what counts as tracked, how it ends."""

from __future__ import annotations

import fake_openvr as vr
import pytest
from fake_openvr import FakeDevice, FakeOpenVr

from cerebellum_vive_bridge.pose import Hand
from cerebellum_vive_bridge.source import SourceLostError
from cerebellum_vive_bridge.steamvr import PULSE_US_MAX, HandChoice, SteamVrSource


@pytest.fixture
def runtime() -> FakeOpenVr:
    fake = FakeOpenVr()
    fake.devices = {
        0: FakeDevice("HMD-1", vr.TrackedDeviceClass_HMD),
        1: FakeDevice("LHB-1", vr.TrackedDeviceClass_TrackingReference),
        3: FakeDevice("LHR-R", role=vr.TrackedControllerRole_RightHand),
        4: FakeDevice("LHR-L", role=vr.TrackedControllerRole_LeftHand),
        5: FakeDevice("LHR-T", vr.TrackedDeviceClass_GenericTracker),
    }
    return fake


def hands_of(source: SteamVrSource) -> dict[str, Hand]:
    return {hand.hand: hand for hand in source.read().hands}


def test_controllers_are_the_hands_that_steamvr_says(runtime: FakeOpenVr) -> None:
    runtime.devices[3].pressed = (vr.k_EButton_Grip,)
    runtime.devices[3].trigger = 0.5
    hands = hands_of(SteamVrSource(module=runtime))
    assert set(hands) == {"left", "right"}
    assert hands["right"].tracked
    assert hands["right"].pose is not None
    assert hands["right"].pose.position_m == pytest.approx((0.1, 1.2, -0.3), abs=1e-6)
    assert (hands["right"].clutch, hands["right"].gripper) == (1.0, 0.5)
    assert (hands["left"].clutch, hands["left"].gripper) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("pressed", "pad", "expected"),
    [
        ((), (0.0, 0.9), (False, False, False)),
        ((vr.k_EButton_ApplicationMenu,), (0.0, 0.0), (False, True, False)),
        ((vr.k_EButton_SteamVR_Touchpad,), (0.0, 0.9), (True, False, False)),
        ((vr.k_EButton_SteamVR_Touchpad,), (0.0, -0.9), (False, False, True)),
        ((vr.k_EButton_SteamVR_Touchpad,), (0.9, 0.0), (False, False, False)),
    ],
    ids=["a finger on the pad", "menu", "pad above", "pad below", "pad beside"],
)
def test_buttons(runtime: FakeOpenVr, pressed: tuple, pad: tuple, expected: tuple) -> None:
    runtime.devices[3].pressed = pressed
    runtime.devices[3].pad = pad
    right = hands_of(SteamVrSource(module=runtime))["right"]
    assert (right.a, right.b, right.stick_pressed) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"valid": False},
        {"connected": False},
        {"result": vr.TrackingResult_Running_OutOfRange},
        {"matrix": ((0.0,) * 4,) * 3},
    ],
    ids=["not valid", "switched off", "out of range", "no rotation"],
)
def test_only_a_pose_that_steamvr_vouches_for_is_tracked(runtime: FakeOpenVr, change: dict) -> None:
    for name, value in change.items():
        setattr(runtime.devices[3], name, value)
    hands = hands_of(SteamVrSource(module=runtime))
    assert not hands["right"].tracked
    assert hands["left"].tracked


def test_a_controller_that_is_off_holds_no_clutch(runtime: FakeOpenVr) -> None:
    runtime.devices[3].pressed = (vr.k_EButton_Grip,)
    runtime.devices[3].connected = False
    assert hands_of(SteamVrSource(module=runtime))["right"].clutch == 0.0


@pytest.mark.parametrize("change", [{"connected": False}, {"answers": False}], ids=["asleep", "no answer"])
def test_buttons_that_cannot_be_read_are_no_release(runtime: FakeOpenVr, change: dict) -> None:
    choice = {"right": HandChoice(pose="LHR-T", buttons="LHR-L")}
    source = SteamVrSource(choice, runtime)
    assert hands_of(source)["right"].tracked
    for name, value in change.items():
        setattr(runtime.devices[4], name, value)
    assert not hands_of(source)["right"].tracked
    del runtime.devices[4]
    assert not hands_of(SteamVrSource(choice, runtime))["right"].tracked


def test_a_controller_that_does_not_tell_its_buttons_is_not_vouched_for(runtime: FakeOpenVr) -> None:
    runtime.devices[3].answers = False
    assert not hands_of(SteamVrSource(module=runtime))["right"].tracked


def test_a_tracker_without_buttons_is_tracked_for_calibrating(runtime: FakeOpenVr) -> None:
    hand = hands_of(SteamVrSource({"right": HandChoice(pose="LHR-T")}, runtime))["right"]
    assert (hand.tracked, hand.clutch) == (True, 0.0)


def test_a_tracker_that_has_told_its_buttons_is_held_to_them(runtime: FakeOpenVr) -> None:
    runtime.devices[5].has_buttons = True
    source = SteamVrSource({"right": HandChoice(pose="LHR-T")}, runtime)
    assert hands_of(source)["right"].tracked
    runtime.devices[5].answers = False
    assert not hands_of(source)["right"].tracked


def test_hands_say_which_devices_they_are(runtime: FakeOpenVr) -> None:
    hands = hands_of(SteamVrSource({"left": HandChoice(pose="LHR-T", buttons="LHR-L")}, runtime))
    assert (hands["right"].device, hands["left"].device) == ("LHR-R LHR-R", "LHR-T LHR-L")


def test_poses_are_stamped_by_a_clock_that_is_fine_on_every_system(
    runtime: FakeOpenVr, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What time.monotonic is on Windows before Python 3.13: 15.6 ms, a pose and a half.
    monkeypatch.setattr("time.monotonic_ns", lambda: 15_600_000)
    monkeypatch.setattr("time.monotonic", lambda: 0.0156)
    source = SteamVrSource(module=runtime)
    stamps = [source.read().device_time_ms for _ in range(20)]
    assert len(set(stamps)) == 20
    assert stamps == sorted(stamps)


def test_a_tracker_can_be_the_hand_and_a_controller_its_buttons(runtime: FakeOpenVr) -> None:
    runtime.devices[5].matrix = ((1.0, 0.0, 0.0, 0.7), (0.0, 1.0, 0.0, 0.8), (0.0, 0.0, 1.0, 0.9))
    runtime.devices[4].pressed = (vr.k_EButton_Grip,)
    choice = {"right": HandChoice(pose="LHR-T", buttons="LHR-L")}
    right = hands_of(SteamVrSource(choice, runtime))["right"]
    assert right.pose is not None
    assert right.pose.position_m == pytest.approx((0.7, 0.8, 0.9), abs=1e-6)
    assert right.clutch == 1.0


@pytest.mark.parametrize("device_class", [vr.TrackedDeviceClass_Controller, vr.TrackedDeviceClass_GenericTracker])
def test_a_single_device_without_a_side_is_the_right_hand(device_class: int) -> None:
    fake = FakeOpenVr()
    fake.devices = {2: FakeDevice("LHR-1", device_class)}
    assert set(hands_of(SteamVrSource(module=fake))) == {"right"}
    fake.devices[3] = FakeDevice("LHR-2", device_class)
    assert set(hands_of(SteamVrSource(module=fake))) == set()


def test_a_device_that_is_switched_on_later_is_found(runtime: FakeOpenVr, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = [10_000_000_000]
    monkeypatch.setattr("cerebellum_vive_bridge.steamvr.time.perf_counter_ns", lambda: now_ns[0])
    late = runtime.devices.pop(4)
    source = SteamVrSource(module=runtime)
    assert set(hands_of(source)) == {"right"}
    runtime.devices[4] = late
    assert set(hands_of(source)) == {"right"}
    now_ns[0] += 1_100_000_000
    assert set(hands_of(source)) == {"left", "right"}


def test_steamvr_that_is_not_there_says_what_to_do(runtime: FakeOpenVr) -> None:
    runtime.is_running = False
    with pytest.raises(SourceLostError, match="Start SteamVR"):
        SteamVrSource(module=runtime)


def test_steamvr_that_closes_is_let_go(runtime: FakeOpenVr) -> None:
    source = SteamVrSource(module=runtime)
    runtime.events = [100, vr.VREvent_Quit]
    with pytest.raises(SourceLostError, match="closing"):
        source.read()
    source.close()
    assert (runtime.acknowledged, runtime.ends) == (1, 1)


def test_pulses_reach_the_hand_and_stay_within_openvrs_bound(runtime: FakeOpenVr) -> None:
    source = SteamVrSource(module=runtime)
    source.read()
    for strength in (0.5, 1.0, 9.0, 0.0, -1.0):
        source.pulse("right", strength)
    assert runtime.devices[3].pulses == [PULSE_US_MAX // 2, PULSE_US_MAX, PULSE_US_MAX]
    source.pulse("left", 1.0)
    assert runtime.devices[4].pulses == [PULSE_US_MAX]


def test_devices_are_listed_with_serial_and_tracking(runtime: FakeOpenVr) -> None:
    runtime.devices[5].connected = False
    source = SteamVrSource(module=runtime)
    source.read()
    listed = {one.serial: (one.kind, one.role, source.tracking_text(one)) for one in source.devices()}
    assert listed["LHR-R"] == ("controller", "right", "tracked")
    assert listed["LHR-T"] == ("tracker", "", "switched off")
    assert listed["LHB-1"][0] == "base station"
