"""What the daemon has to make of a reading, worked out a second time: goldens hold these numbers.

Written from the manifest's meaning, in NumPy, without looking at the daemon's code; only data is shared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.history.description import JOINTS, PASSIVE, HistoryPolicy, Observed

AXES = {"x": 0, "y": 1, "z": 2}
FIELDS = {"position": "positionRad", "stiffness": "stiffnessNmPerRad", "damping": "dampingNmSPerRad"}


@dataclass(frozen=True)
class Reading:
    """One step, in the daemon's frames: base x forward, y left, z up; quaternion x y z w, base in world."""

    time_s: float
    position_rad: np.ndarray
    velocity_rad_per_s: np.ndarray
    passive_position_rad: np.ndarray
    passive_velocity_rad_per_s: np.ndarray
    quat_world_base_xyzw: np.ndarray
    linear_velocity_base_m_per_s: np.ndarray
    angular_velocity_base_rad_per_s: np.ndarray
    command: np.ndarray

    def as_json(self) -> dict:
        return {
            "timeS": self.time_s,
            "positionRad": self.position_rad.tolist(),
            "velocityRadPerS": self.velocity_rad_per_s.tolist(),
            "passivePositionRad": self.passive_position_rad.tolist(),
            "passiveVelocityRadPerS": self.passive_velocity_rad_per_s.tolist(),
            "quatWorldBaseXyzw": self.quat_world_base_xyzw.tolist(),
            "linearVelocityBaseMPerS": self.linear_velocity_base_m_per_s.tolist(),
            "angularVelocityBaseRadPerS": self.angular_velocity_base_rad_per_s.tolist(),
            "command": self.command.tolist(),
        }


def observe(policy: HistoryPolicy, run: list[Reading], step: int) -> np.ndarray:
    """(slots,) float32 of a run's step: `run` begins with its first."""
    values = [
        slot.scale * (value_of(policy, run[max(0, step - slot.delay_steps)], slot) - slot.offset)
        for slot in policy.observation
    ]
    bounds = np.array([slot.clip for slot in policy.observation])
    return np.clip(np.array(values), bounds[:, 0], bounds[:, 1]).astype(np.float32)


def value_of(policy: HistoryPolicy, reading: Reading, slot: Observed) -> float:
    if slot.source in ("joint-position", "joint-velocity"):
        is_position = slot.source == "joint-position"
        if slot.of in JOINTS:
            vector = reading.position_rad if is_position else reading.velocity_rad_per_s
            return float(vector[JOINTS.index(slot.of)])
        vector = reading.passive_position_rad if is_position else reading.passive_velocity_rad_per_s
        return float(vector[PASSIVE.index(slot.of)])
    if slot.source == "clock":
        assert policy.clock_period_s is not None, "a policy with a clock says its period"
        phase = 2 * np.pi * reading.time_s / policy.clock_period_s
        return float({"sin": np.sin, "cos": np.cos}[slot.of](phase))
    if slot.source == "velocity-command":
        return float(asked(policy, reading.command)[("forward", "left", "yaw").index(slot.of)])
    turn = rotation(reading.quat_world_base_xyzw)
    if slot.source == "projected-gravity":
        return float((turn.T @ np.array([0.0, 0.0, -1.0]))[AXES[slot.of]])
    vector = {
        "base-linear-velocity": reading.linear_velocity_base_m_per_s,
        "base-angular-velocity": reading.angular_velocity_base_rad_per_s,
    }[slot.source]
    if slot.frame in ("heading", "world"):
        vector = turn @ vector
    if slot.frame == "heading":
        yaw = np.arctan2(turn[1, 0], turn[0, 0])
        back = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        vector = back @ vector
    return float(vector[AXES[slot.of]])


def asked(policy: HistoryPolicy, command: np.ndarray) -> np.ndarray:
    """Within the range, and zero where it is less than the cut-off."""
    rule = policy.command
    assert rule is not None, "a policy that is asked for a velocity says its range"
    within = np.clip(command, rule.low, rule.high)
    return np.where(np.abs(within) < rule.cutoff, 0.0, within)


def rotation(quat_xyzw: np.ndarray) -> np.ndarray:
    """(3, 3) that takes base to world. Rodrigues' formula on the quaternion's axis and angle."""
    x, y, z, w = quat_xyzw / np.linalg.norm(quat_xyzw)
    axis = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * axis + 2 * axis @ axis


def clip_output(policy: HistoryPolicy, output: np.ndarray) -> np.ndarray:
    bounds = np.array([slot.clip for slot in policy.action], dtype=np.float32)
    return np.clip(output, bounds[:, 0], bounds[:, 1])


def targets(policy: HistoryPolicy, output: np.ndarray) -> dict[str, list[float]]:
    """Joint targets [rad] and gains, one per joint in the device's order."""
    found = {name: np.full(len(JOINTS), np.nan) for name in FIELDS.values()}
    clipped = clip_output(policy, output)
    for slot, value in zip(policy.action, clipped, strict=True):
        if not slot.overwritten:
            wanted = float(np.clip(slot.offset + slot.scale * float(value), *slot.range))
            found[FIELDS[slot.quantity]][JOINTS.index(slot.joint)] = wanted
    for entry in policy.fixed:
        for name, value in entry.as_json().items():
            if name != "joint":
                found[name][JOINTS.index(entry.joint)] = value
    return {name: values.tolist() for name, values in found.items()}


def example_run(policy: HistoryPolicy, steps: int, seed: int) -> list[Reading]:
    """A made-up motion that leaves nothing at zero: every joint swings, the base turns, commands change."""
    random = np.random.default_rng(seed)

    def swinging(count: int, size: float) -> list[np.ndarray]:
        rate, phase = random.uniform(2, 9, count), random.uniform(0, 2 * np.pi, count)
        times = np.arange(steps)[:, None] / policy.rate_hz
        return list(size * np.sin(rate * times + phase))

    center = np.array(policy.start.position_rad)
    position, velocity = swinging(len(JOINTS), 0.2), swinging(len(JOINTS), 1.0)
    passive, passive_velocity = swinging(len(PASSIVE), 0.1), swinging(len(PASSIVE), 0.5)
    linear, angular = swinging(3, 0.6), swinging(3, 0.8)
    lean = swinging(3, 0.25)
    commands = ([0.5, 0.05, 0.2], [2.0, -0.2, -0.3], [-0.5, 0.4, 1.5], [0.09, -0.11, 0.27])
    run = []
    for step in range(steps):
        turn = np.append(lean[step], 1.0) + np.array([0, 0, 0.7, 0])
        run.append(
            Reading(
                time_s=step / policy.rate_hz,
                position_rad=center + position[step],
                velocity_rad_per_s=velocity[step],
                passive_position_rad=passive[step],
                passive_velocity_rad_per_s=passive_velocity[step],
                quat_world_base_xyzw=turn / np.linalg.norm(turn),
                linear_velocity_base_m_per_s=linear[step],
                angular_velocity_base_rad_per_s=angular[step],
                command=np.array(commands[(step // 5 + seed) % len(commands)]),
            )
        )
    return run
