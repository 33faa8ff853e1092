"""The loop: read, send, feel, at a fixed rate. One pose a period, the newest; a period that was missed is skipped."""

from __future__ import annotations

import sys
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Callable, Protocol

from cerebellum_vive_bridge.link import Pulse
from cerebellum_vive_bridge.pose import Sample, pose_message
from cerebellum_vive_bridge.source import Source, SourceLostError

#: SteamVR that is not there is looked for so often.
SOURCE_RETRY_S = 2.0
REPORT_S = 10.0

Say = Callable[[str], None]


class PoseLink(Protocol):
    """What the loop needs of the link."""

    def send_pose(self, text: str) -> bool: ...

    def pulses(self) -> list[Pulse]: ...


@dataclass
class Counts:
    """Of one run."""

    read: int = 0
    sent: int = 0
    dropped: int = 0
    lost_sources: int = 0


class Bridge:
    """Runs until `stop` is set, or for so many poses."""

    def __init__(
        self,
        link: PoseLink,
        open_source: Callable[[], Source],
        device: str,
        rate_hz: float,
        say: Say,
        stop: threading.Event | None = None,
    ) -> None:
        self._link = link
        self._open_source = open_source
        self._device = device
        self._period_s = 1.0 / rate_hz
        self._say = say
        self._said = ""
        self._untracked = ""
        self.stop = stop or threading.Event()
        self.counts = Counts()

    def run(self, poses_max: int | None = None) -> None:
        while not self.stop.is_set() and not self._is_enough(poses_max):
            source = self._opened()
            if source is None:
                self.stop.wait(SOURCE_RETRY_S)
                continue
            try:
                self._stream(source, poses_max)
            except SourceLostError as lost:
                self.counts.lost_sources += 1
                self._tell(f"{lost}; this is tried again")
                self.stop.wait(SOURCE_RETRY_S)
            finally:
                source.close()

    def _opened(self) -> Source | None:
        try:
            source = self._open_source()
        except SourceLostError as lost:
            self._tell(f"{lost}; this is tried again")
            return None
        self._tell("Poses are being read")
        return source

    def _stream(self, source: Source, poses_max: int | None) -> None:
        # Another session: whatever was engaged with the former one ends in the cell.
        session = uuid.uuid4().hex
        seq = 0
        devices: dict[str, str] = {}
        due_s = time.perf_counter()
        while not self.stop.is_set() and not self._is_enough(poses_max):
            sample = source.read()
            self.counts.read += 1
            if _is_swapped(devices, sample):
                session = uuid.uuid4().hex
                seq = 0
                self._say("A hand has another controller or tracker now: let the clutch go, then press it again")
            if self._link.send_pose(pose_message(sample, device=self._device, session=session, seq=seq)):
                self.counts.sent += 1
            else:
                self.counts.dropped += 1
            seq += 1
            for pulse in self._link.pulses():
                source.pulse(pulse.hand, pulse.strength)
            self._tell_tracking(sample)
            due_s = self._wait(due_s)

    def _wait(self, due_s: float) -> float:
        # Fine on every system; time.monotonic steps by 15.6 ms on Windows before Python 3.13.
        now_s = time.perf_counter()
        due_s += self._period_s
        if due_s < now_s:
            # Behind: go on from now, nothing is made up for in a burst.
            due_s = now_s
        else:
            time.sleep(due_s - now_s)
        return due_s

    def _is_enough(self, poses_max: int | None) -> bool:
        return poses_max is not None and self.counts.read >= poses_max

    def _tell(self, text: str) -> None:
        """The same news is told once."""
        if text != self._said:
            self._said = text
            self._say(text)

    def _tell_tracking(self, sample: Sample) -> None:
        if not sample.hands:
            text = "No controller or tracker is there: switch one on, or look with `cerebellum-vive-bridge devices`"
        else:
            lost = [hand.hand for hand in sample.hands if not hand.tracked]
            text = f"Not tracked: {', '.join(lost)}. Bring it into the base stations' view" if lost else ""
        if text != self._untracked:
            self._untracked = text
            self._say(text or "Tracked again")


def _is_swapped(devices: dict[str, str], sample: Sample) -> bool:
    """Whether a hand is another device than it was; one that was away for a moment is the same when it comes back."""
    swapped = False
    for hand in sample.hands:
        if hand.device:
            swapped = swapped or devices.get(hand.hand, hand.device) != hand.device
            devices[hand.hand] = hand.device
    return swapped


def use_fine_timer() -> Callable[[], None]:
    """Windows sleeps in steps of 15.6 ms unless somebody asks for finer ones. Returns its own undo."""
    if sys.platform != "win32":
        return lambda: None
    import ctypes

    winmm = ctypes.WinDLL("winmm")
    winmm.timeBeginPeriod(1)
    return lambda: winmm.timeEndPeriod(1)
