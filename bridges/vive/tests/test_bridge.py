"""The loop: order, sessions, what is dropped, and what happens when the source goes and comes."""

from __future__ import annotations

import json
import threading
from typing import Callable

import pytest

from cerebellum_vive_bridge import bridge as module
from cerebellum_vive_bridge.bridge import Bridge
from cerebellum_vive_bridge.link import Pulse
from cerebellum_vive_bridge.pose import Hand, Sample
from cerebellum_vive_bridge.simulate import SCRIPTS, STROKE_M, SimulatedSource
from cerebellum_vive_bridge.source import Source, SourceLostError


class FakeLink:
    def __init__(self) -> None:
        self.texts: list[dict] = []
        self.is_behind: Callable[[int], bool] = lambda _count: False
        self.felt: list[Pulse] = []
        self.offered = 0

    def send_pose(self, text: str) -> bool:
        self.offered += 1
        if self.is_behind(self.offered):
            return False
        self.texts.append(json.loads(text))
        return True

    def pulses(self) -> list[Pulse]:
        return self.felt


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCE_RETRY_S", 0.001)
    monkeypatch.setattr(module.time, "sleep", lambda _s: None)


def run(link: FakeLink, open_source: Callable[[], Source], poses: int) -> tuple[Bridge, list[str]]:
    said: list[str] = []
    bridge = Bridge(link, open_source, "vive-1", 90.0, said.append)
    bridge.run(poses)
    return bridge, said


def test_numbers_rise_by_one_in_one_session() -> None:
    link = FakeLink()
    run(link, lambda: SimulatedSource("circle", 90.0), 50)
    assert [one["seq"] for one in link.texts] == list(range(50))
    assert len({one["session"] for one in link.texts}) == 1
    assert len(link.texts[0]["session"]) >= 8
    times = [one["deviceTimeMs"] for one in link.texts]
    assert times == sorted(times)


def test_the_pace_is_kept_by_a_clock_that_is_fine_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def coarse() -> float:
        raise AssertionError("time.monotonic steps by 15.6 ms on Windows before Python 3.13")

    now_s = [5.0]
    monkeypatch.setattr(module.time, "monotonic", coarse)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now_s[0])
    monkeypatch.setattr(module.time, "sleep", lambda s: now_s.__setitem__(0, now_s[0] + s))
    run(FakeLink(), lambda: SimulatedSource("still", 90.0), 90)
    assert now_s[0] == pytest.approx(6.0)


def test_what_cannot_be_sent_now_is_never_sent() -> None:
    link = FakeLink()
    link.is_behind = lambda count: 10 < count <= 30
    bridge, _said = run(link, lambda: SimulatedSource("circle", 90.0), 50)
    assert [one["seq"] for one in link.texts] == [*range(10), *range(30, 50)]
    assert (bridge.counts.sent, bridge.counts.dropped) == (30, 20)


def test_a_source_that_comes_back_begins_a_new_session() -> None:
    class Short(SimulatedSource):
        def read(self) -> Sample:
            if self._tick >= 10:
                raise SourceLostError("SteamVR is closing")
            return super().read()

    link = FakeLink()
    bridge, said = run(link, lambda: Short("still", 90.0), 30)
    sessions = list(dict.fromkeys(one["session"] for one in link.texts))
    assert len(sessions) == 3
    assert [one["seq"] for one in link.texts] == [*range(10)] * 3
    assert bridge.counts.lost_sources == 2
    assert said[:2] == ["Poses are being read", "SteamVR is closing; this is tried again"]


def test_another_device_in_the_same_hand_begins_a_new_session() -> None:
    class Swapped(SimulatedSource):
        def read(self) -> Sample:
            sample = super().read()
            hand = sample.hands[0]
            serial = "LHR-1" if self._tick <= 10 else "LHR-2"
            # One that is switched off for a moment is the same when it comes back.
            hands = () if 5 <= self._tick < 8 else (Hand("right", True, hand.pose, device=serial),)
            return Sample(sample.device_time_ms, hands)

    link = FakeLink()
    run(link, lambda: Swapped("still", 90.0), 20)
    assert [one["seq"] for one in link.texts] == [*range(10), *range(10)]
    assert len({one["session"] for one in link.texts}) == 2


def test_a_source_that_is_not_there_is_tried_again_and_told_once() -> None:
    tries = []

    def open_source() -> Source:
        tries.append(1)
        if len(tries) < 5:
            raise SourceLostError("SteamVR is not running")
        return SimulatedSource("still", 90.0)

    _bridge, said = run(FakeLink(), open_source, 3)
    assert len(tries) == 5
    assert said == ["SteamVR is not running; this is tried again", "Poses are being read"]


def test_tracking_that_is_lost_is_said_when_it_changes() -> None:
    class Blind(SimulatedSource):
        def read(self) -> Sample:
            sample = super().read()
            lost = 5 <= self._tick < 10
            return Sample(sample.device_time_ms, (Hand("right", not lost, sample.hands[0].pose),))

    _bridge, said = run(FakeLink(), lambda: Blind("still", 90.0), 20)
    assert said[1:] == ["Not tracked: right. Bring it into the base stations' view", "Tracked again"]


def test_pulses_are_felt_for_as_long_as_they_last() -> None:
    link = FakeLink()
    link.felt = [Pulse("right", 0.5, 1e9)]
    source = SimulatedSource("still", 90.0)
    run(link, lambda: source, 4)
    assert source.pulses == [("right", 0.5)] * 4


def test_an_interrupt_ends_it() -> None:
    stop = threading.Event()
    link = FakeLink()
    link.is_behind = lambda count: stop.set() or False if count == 7 else False
    Bridge(link, lambda: SimulatedSource("still", 90.0), "d", 90.0, lambda _text: None, stop).run()
    assert link.offered == 7


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_scripted_hands_are_the_same_in_every_run_and_never_jump(script: str) -> None:
    first, second = SimulatedSource(script, 90.0), SimulatedSource(script, 90.0)
    before = None
    for _ in range(90 * 13):
        sample = first.read()
        assert sample.hands == second.read().hands
        pose = sample.hands[0].pose
        assert pose is not None
        if before is not None:
            steps = [abs(a - b) for a, b in zip(pose.position_m, before)]
            assert max(steps) < 0.01
            assert max(steps) > 0
        before = pose.position_m


def test_scripted_strokes_go_forward_left_and_up() -> None:
    source = SimulatedSource("strokes", 90.0, heading_deg=0.0)
    places = [source.read().hands[0].pose for _ in range(90 * 15)]
    for index, (axis, sign) in enumerate([(2, -1), (0, -1), (1, 1)]):
        start, end = places[index * 450 + 80], places[index * 450 + 250]
        assert start is not None
        assert end is not None
        assert sign * (end.position_m[axis] - start.position_m[axis]) == pytest.approx(STROKE_M, abs=0.001)
