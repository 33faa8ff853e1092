"""What a person's hand does, as the message that the cell expects (its core/teleop/pose.ts). Lengths in metres."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Position = tuple[float, float, float]
QuatXyzw = tuple[float, float, float, float]

#: Farther from the origin than this a pose is noise; the cell refuses it as a whole.
TRACKED_RANGE_M = 10.0
#: A rotation matrix whose columns are this far from unit length is no rotation.
ROTATION_TOLERANCE = 0.01


@dataclass(frozen=True)
class Pose:
    """A rigid pose in the frame `openvr-standing`: x right, y up, z backwards."""

    position_m: Position
    quat_xyzw: QuatXyzw


@dataclass(frozen=True)
class Hand:
    """One hand at one moment."""

    hand: str
    #: The source vouches for the pose: valid, running, connected.
    tracked: bool
    pose: Pose | None
    #: 1 = held: the operator wants motion.
    clutch: float = 0.0
    #: 0 = open, 1 = closed.
    gripper: float = 0.0
    a: bool = False
    b: bool = False
    stick_pressed: bool = False
    stick: tuple[float, float] = (0.0, 0.0)
    #: Serials of pose and buttons; empty where they are not known. Stays here: the cell hears of another session.
    device: str = ""


@dataclass(frozen=True)
class Sample:
    """Everything that was read at one moment of the source's monotonic clock [ms]."""

    device_time_ms: float
    hands: Sequence[Hand] = field(default_factory=tuple)


def pose_from_matrix(matrix: Sequence[Sequence[float]]) -> Pose | None:
    """Pose of OpenVR's 3 x 4 matrix (rows; rotation, then translation [m]).

    Returns: None if a number is not finite, the position is out of range, or the rotation is none.
    Source: Shepperd, J. Guidance and Control 1(3), 1978: divides by the largest component; w >= 0.
    """
    rows = [[float(value) for value in row] for row in matrix]
    if not all(math.isfinite(value) for row in rows for value in row):
        return None
    position = (rows[0][3], rows[1][3], rows[2][3])
    if any(abs(value) > TRACKED_RANGE_M for value in position) or not _is_rotation(rows):
        return None
    (m00, m01, m02, _), (m10, m11, m12, _), (m20, m21, m22, _) = rows
    trace = m00 + m11 + m22
    if trace >= 0:
        quat = (m21 - m12, m02 - m20, m10 - m01, 1 + trace)
    elif m00 >= m11 and m00 >= m22:
        quat = (1 + m00 - m11 - m22, m01 + m10, m20 + m02, m21 - m12)
    elif m11 >= m22:
        quat = (m01 + m10, 1 - m00 + m11 - m22, m12 + m21, m02 - m20)
    else:
        quat = (m20 + m02, m12 + m21, 1 - m00 - m11 + m22, m10 - m01)
    scale = math.copysign(1 / math.sqrt(sum(value * value for value in quat)), quat[3])
    x, y, z, w = (value * scale for value in quat)
    return Pose(position, (x, y, z, w))


def _is_rotation(rows: Sequence[Sequence[float]]) -> bool:
    columns = [[rows[row][column] for row in range(3)] for column in range(3)]
    for i in range(3):
        for j in range(i, 3):
            product = sum(a * b for a, b in zip(columns[i], columns[j]))
            if abs(product - (1.0 if i == j else 0.0)) > ROTATION_TOLERANCE:
                return False
    (a, b, c), (d, e, f), (g, h, i2) = (row[:3] for row in rows)
    return a * (e * i2 - f * h) - b * (d * i2 - f * g) + c * (d * h - e * g) > 0


def pose_message(sample: Sample, *, device: str, session: str, seq: int) -> str:
    """The message as JSON text, version 1."""
    message = {
        "v": 1,
        "source": "vive",
        "device": device,
        "session": session,
        "seq": seq,
        "deviceTimeMs": sample.device_time_ms,
        "space": "openvr-standing",
        "visibility": "visible",
        # A headset that lies on a table faces anywhere: whoever recentres points the controller.
        "head": None,
        "hands": [_hand(hand) for hand in sample.hands],
    }
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _hand(hand: Hand) -> dict[str, Any]:
    return {
        "hand": hand.hand,
        "mode": "controller",
        "tracked": hand.tracked and hand.pose is not None,
        "pose": _pose(hand.pose),
        "clutch": _clamp(hand.clutch, 0.0),
        "gripper": _clamp(hand.gripper, 0.0),
        "buttons": {"a": hand.a, "b": hand.b, "stick": hand.stick_pressed},
        "stick": [_clamp(value, -1.0) for value in hand.stick],
        "joints": None,
    }


def _pose(pose: Pose | None) -> dict[str, Any] | None:
    if pose is None:
        return None
    return {"positionM": list(pose.position_m), "quatXyzw": list(pose.quat_xyzw)}


def _clamp(value: float, low: float) -> float:
    """What is no number is nothing pressed."""
    return min(1.0, max(low, value)) if math.isfinite(value) else 0.0
