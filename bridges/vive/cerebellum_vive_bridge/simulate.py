"""Hands that nobody has: scripted motion for tests and first tries. The same tick gives the same hand in every run."""

from __future__ import annotations

import math
import time
from typing import Callable

from cerebellum_vive_bridge.pose import Hand, Pose, Sample

#: Where the scripted hand rests [m]: in front of a person, at the height of the chest.
REST_M = (0.2, 1.2, -0.3)
#: A hand is never still; a pose that stays the same to the last bit is a dead tracker.
TREMOR_M = 0.0002
CIRCLE_RADIUS_M = 0.05
CIRCLE_PERIOD_S = 4.0
CYCLE_S = 12.0
CLUTCH_FROM_S = 1.0
CLUTCH_UNTIL_S = 9.0
STROKE_M = 0.3
STROKE_S = 1.5
PAUSE_S = 1.0

Offset = tuple[float, float, float]
Script = Callable[[float], "tuple[Offset, float, float]"]


def still(_time_s: float) -> tuple[Offset, float, float]:
    """A resting hand, clutch open."""
    return (0.0, 0.0, 0.0), 0.0, 0.0


def circle(time_s: float) -> tuple[Offset, float, float]:
    """Presses the clutch for 8 of 12 seconds and draws upright circles of 10 cm across; the gripper closes once."""
    in_cycle = time_s % CYCLE_S
    held = CLUTCH_FROM_S <= in_cycle < CLUTCH_UNTIL_S
    if not held:
        return (0.0, 0.0, 0.0), 0.0, 0.0
    since = in_cycle - CLUTCH_FROM_S
    angle = 2 * math.pi * since / CIRCLE_PERIOD_S
    ramp = min(1.0, since)
    offset = (CIRCLE_RADIUS_M * ramp * math.sin(angle), CIRCLE_RADIUS_M * ramp * (1 - math.cos(angle)), 0.0)
    return offset, 1.0, 1.0 if 3.0 <= since < 6.0 else 0.0


def strokes(time_s: float) -> tuple[Offset, float, float]:
    """Forward, left and up, 30 cm each, there and back with pauses: what calibrating a tracker asks for."""
    leg_s = 2 * (STROKE_S + PAUSE_S)
    index = int(time_s // leg_s) % 3
    in_leg = time_s % leg_s
    if in_leg < PAUSE_S:
        share = 0.0
    elif in_leg < PAUSE_S + STROKE_S:
        share = _smooth((in_leg - PAUSE_S) / STROKE_S)
    elif in_leg < 2 * PAUSE_S + STROKE_S:
        share = 1.0
    else:
        share = 1.0 - _smooth((in_leg - 2 * PAUSE_S - STROKE_S) / STROKE_S)
    direction = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))[index]
    x, y, z = (STROKE_M * share * value for value in direction)
    return (x, y, z), 0.0, 0.0


SCRIPTS: dict[str, Script] = {"still": still, "circle": circle, "strokes": strokes}


class SimulatedSource:
    """The hand's time goes by one period with each reading; poses are stamped with the real clock, as a device's."""

    def __init__(self, script: str, rate_hz: float, heading_deg: float = 0.0) -> None:
        self._script = SCRIPTS[script]
        self._rate_hz = rate_hz
        self._heading_rad = math.radians(heading_deg)
        self._tick = 0
        #: What the hand has felt: (hand, strength).
        self.pulses: list[tuple[str, float]] = []

    def read(self) -> Sample:
        time_s = self._tick / self._rate_hz
        self._tick += 1
        (x, y, z), clutch, gripper = self._script(time_s)
        sine, cosine = math.sin(self._heading_rad), math.cos(self._heading_rad)
        tremor = TREMOR_M * math.sin(2 * math.pi * 8.3 * time_s + 0.4)
        position = (
            REST_M[0] + cosine * x + sine * z + tremor,
            REST_M[1] + y,
            REST_M[2] - sine * x + cosine * z,
        )
        quat = (0.0, math.sin(self._heading_rad / 2), 0.0, math.cos(self._heading_rad / 2))
        hand = Hand("right", tracked=True, pose=Pose(position, quat), clutch=clutch, gripper=gripper)
        return Sample(device_time_ms=time.perf_counter_ns() / 1e6, hands=(hand,))

    def pulse(self, hand: str, strength: float) -> None:
        self.pulses.append((hand, strength))

    def close(self) -> None:
        pass


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)
