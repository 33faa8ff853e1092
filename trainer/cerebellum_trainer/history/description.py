"""What a history policy's manifest says beyond its weights: the daemon's words, in Python's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JOINTS: tuple[str, ...] = (
    *(
        f"{side}_{name}"
        for side in ("left", "right")
        for name in ("hip_roll", "hip_yaw", "hip_pitch", "knee", "toe_A", "toe_B")
    ),
    *(
        f"{side}_{name}"
        for side in ("left", "right")
        for name in ("shoulder_roll", "shoulder_pitch", "shoulder_yaw", "elbow")
    ),
)
PASSIVE: tuple[str, ...] = tuple(
    f"{side}_{name}"
    for side in ("left", "right")
    for name in ("shin", "tarsus", "toe_pitch", "toe_roll", "heel_spring")
)
UNITS = {"position": "rad", "stiffness": "N·m/rad", "damping": "N·m·s/rad"}


@dataclass(frozen=True)
class Observed:
    """One observation slot: the network gets scale * (value - offset), clipped."""

    source: str
    of: str
    unit: str
    frame: str | None = None
    offset: float = 0.0
    scale: float = 1.0
    clip: tuple[float, float] = (-100.0, 100.0)
    delay_steps: int = 0

    @property
    def id(self) -> str:
        return f"{self.source}:{self.of}" + (f"@{self.frame}" if self.frame else "")

    def as_json(self) -> dict[str, Any]:
        frame = {"frame": self.frame} if self.frame else {}
        return {
            "source": self.source, "of": self.of, "unit": self.unit, **frame, "offset": self.offset,
            "scale": self.scale, "clip": list(self.clip), "delaySteps": self.delay_steps,
        }  # fmt: skip


@dataclass(frozen=True)
class Acted:
    """One action slot: offset + scale * (output, clipped), within the range."""

    quantity: str
    joint: str
    offset: float
    scale: float
    range: tuple[float, float]
    clip: tuple[float, float] = (-5.0, 5.0)
    overwritten: bool = False

    @property
    def id(self) -> str:
        return f"{self.quantity}:{self.joint}"

    def as_json(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity, "joint": self.joint, "unit": UNITS[self.quantity],
            "offset": self.offset, "scale": self.scale, "clip": list(self.clip), "range": list(self.range),
            "overwritten": self.overwritten,
        }  # fmt: skip


@dataclass(frozen=True)
class Fixed:
    """What a joint gets whatever the network says."""

    joint: str
    position_rad: float | None = None
    stiffness: float | None = None
    damping: float | None = None

    def as_json(self) -> dict[str, Any]:
        given = {
            "positionRad": self.position_rad,
            "stiffnessNmPerRad": self.stiffness,
            "dampingNmSPerRad": self.damping,
        }
        return {"joint": self.joint, **{key: value for key, value in given.items() if value is not None}}


@dataclass(frozen=True)
class Start:
    position_rad: tuple[float, ...]
    stiffness: tuple[float, ...]
    damping: tuple[float, ...]
    tolerance_rad: float = 0.2
    tilt_rad_max: float = 0.3
    blend_ms: float = 1000.0

    def as_json(self) -> dict[str, Any]:
        return {
            "positionRad": list(self.position_rad),
            "stiffnessNmPerRad": list(self.stiffness),
            "dampingNmSPerRad": list(self.damping),
            "toleranceRad": self.tolerance_rad,
            "tiltRadMax": self.tilt_rad_max,
            "blendMs": self.blend_ms,
        }


@dataclass(frozen=True)
class CommandRule:
    """Thesis, v1 table II: forward m/s, left m/s, yaw rad/s."""

    cutoff: tuple[float, float, float] = (0.10, 0.10, 0.26)
    low: tuple[float, float, float] = (-0.3, -0.3, -1.0)
    high: tuple[float, float, float] = (1.0, 0.3, 1.0)
    stale_ms: float = 500

    def as_json(self) -> dict[str, Any]:
        names = ("forwardMPerS", "leftMPerS", "yawRateRadPerS")
        return {
            "cutoff": dict(zip(names, self.cutoff, strict=True)),
            "range": {name: [low, high] for name, low, high in zip(names, self.low, self.high, strict=True)},
            "staleMs": self.stale_ms,
        }


@dataclass(frozen=True)
class HistoryPolicy:
    """A whole manifest but for what follows from the network: kind, architecture, files, checksums."""

    name: str
    task: str
    description: str
    motion: str
    motion_reason: str
    observation: tuple[Observed, ...]
    action: tuple[Acted, ...]
    fixed: tuple[Fixed, ...]
    start: Start
    weights: str
    """random, constructed or trained."""
    steps: int = 16
    fill: str = "first-observation"
    previous_action: str = "clipped"
    rate_hz: float = 50.0
    expiry_ms: float = 50.0
    clock_period_s: float | None = None
    command: CommandRule | None = None
    default_action: tuple[float, ...] = field(default=())
    """Zeros unless given."""

    @property
    def token(self) -> int:
        return len(self.observation) + len(self.action)
