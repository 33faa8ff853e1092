"""The tick logs of an episode's robots: what was sent and measured, many times a second, as one vector."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.episodes import Episode
from cerebellum_trainer.records import incomplete

# Ticks that the log may lack in a row, and the oldest measurement that an image is given.
TICK_GAP_MAX_NS = 100_000_000
# States of the servo in which what was sent is what somebody wanted.
WILLING = ("following", "holding")


@dataclass(frozen=True)
class TickLog:
    """n ticks of a robot. sent, position: (n, joints) [rad]; times [epoch ns], `state_ns` of the positions.

    gripper: (n,) newest opening that was asked for; opening: (n,) as measured, NaN without a gripper [m].
    """

    stamp_ns: np.ndarray
    state_ns: np.ndarray
    sent_rad: np.ndarray
    position_rad: np.ndarray
    is_willing: np.ndarray
    gripper_m: np.ndarray
    opening_m: np.ndarray

    def position_at(self, at_ns: int) -> np.ndarray | None:
        """Measured, interpolated; None without a report within `TICK_GAP_MAX_NS` on both sides."""
        return interpolated(self.state_ns, self.position_rad, at_ns)

    def position_near(self, at_ns: int) -> np.ndarray | None:
        """The same, or the nearest report within the limit: to compare with, not to learn from."""
        place = int(np.abs(self.state_ns - at_ns).argmin())
        is_near = abs(int(self.state_ns[place]) - at_ns) <= TICK_GAP_MAX_NS
        between = self.position_at(at_ns)
        return self.position_rad[place] if between is None and is_near else between

    def place_at(self, at_ns: int) -> int | None:
        """Of the newest tick then; None when it is too old."""
        place = int(np.searchsorted(self.stamp_ns, at_ns, side="right")) - 1
        return None if place < 0 or at_ns - int(self.stamp_ns[place]) > TICK_GAP_MAX_NS else place

    def sent_at(self, at_ns: int) -> np.ndarray | None:
        """Newest setpoint that had left for the robot then."""
        place = self.place_at(at_ns)
        sent = None if place is None else self.sent_rad[place]
        return sent if sent is not None and np.isfinite(sent).all() else None

    def gripper_at(self, at_ns: int) -> float:
        place = int(np.searchsorted(self.stamp_ns, at_ns, side="right")) - 1
        return float(self.gripper_m[place]) if place >= 0 else math.nan

    def opening_at(self, at_ns: int) -> float:
        """As measured by the newest tick then."""
        place = self.place_at(at_ns)
        return math.nan if place is None else float(self.opening_m[place])

    def was_willing(self, from_ns: int, to_ns: int) -> bool:
        first, last = np.searchsorted(self.stamp_ns, [from_ns, to_ns])
        return bool(self.is_willing[max(0, first - 1) : last + 1].all())


class Ticks:
    """The logs of all robots that a policy moves. Vectors are the robots' one after another.

    What was sent stands in one table whose rows are the ticks of the robot that ticks most often; the others
    are in it with the newest setpoint that had left for them. What was measured is asked for by time, because
    each robot reports at times of its own.
    """

    def __init__(self, logs: list[TickLog]) -> None:
        self._logs = logs
        leader = max(logs, key=lambda log: len(log.stamp_ns))
        self.stamp_ns = leader.stamp_ns
        rows = [along(log, leader) for log in logs]
        self.sent_rad = np.concatenate([sent for sent, _ in rows], axis=1)
        self.is_willing = np.asarray(np.stack([willing for _, willing in rows]).all(axis=0))

    @property
    def has_gripper(self) -> bool:
        return any(bool(np.isfinite(log.opening_m).any()) for log in self._logs)

    def position_at(self, at_ns: int) -> np.ndarray | None:
        return joined([log.position_at(at_ns) for log in self._logs])

    def position_near(self, at_ns: int) -> np.ndarray | None:
        return joined([log.position_near(at_ns) for log in self._logs])

    def sent_at(self, at_ns: int) -> np.ndarray | None:
        return joined([log.sent_at(at_ns) for log in self._logs])

    def gripper_at(self, at_ns: int) -> float:
        openings = (log.gripper_at(at_ns) for log in self._logs)
        return next((opening for opening in openings if not math.isnan(opening)), math.nan)

    def opening_at(self, at_ns: int) -> float:
        openings = (log.opening_at(at_ns) for log in self._logs)
        return next((opening for opening in openings if not math.isnan(opening)), math.nan)

    def was_willing(self, from_ns: int, to_ns: int) -> bool:
        return all(log.was_willing(from_ns, to_ns) for log in self._logs)


def along(log: TickLog, leader: TickLog) -> tuple[np.ndarray, np.ndarray]:
    """What was sent and whether the robot was willing, at the leader's ticks; not finite in a gap."""
    if log is leader:
        return log.sent_rad, log.is_willing
    places = np.searchsorted(log.stamp_ns, leader.stamp_ns, side="right") - 1
    known = places >= 0
    known[known] = leader.stamp_ns[known] - log.stamp_ns[places[known]] <= TICK_GAP_MAX_NS
    sent = np.where(known[:, None], log.sent_rad[places], np.nan)
    return sent, known & log.is_willing[places]


def joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def read_ticks(episode: Episode, robots: list[str], is_trimmed: bool) -> Ticks:
    """The tick logs, or the kept part of them. Raises: TrainerError EPISODE_INCOMPLETE if one is empty."""
    return Ticks([read_log(episode, robot, is_trimmed) for robot in robots])


def read_log(episode: Episode, robot: str, is_trimmed: bool) -> TickLog:
    order = list(episode.robot(robot).order)
    stamps, states, sent, positions, willing, gripper, opening = [], [], [], [], [], [], []
    for message in episode.messages(f"/{robot}/servo_tick"):
        tick = message.values
        measured, setpoint = tick["position_rad"], tick["sent_rad"]
        if (is_trimmed and not episode.keeps(message.log_ns)) or len(measured) <= max(order):
            continue
        stamps.append(tick["stamp"])
        states.append(tick["state_stamp"])
        positions.append(measured[order])
        sent.append(setpoint[order] if len(setpoint) > max(order) else np.full(len(order), np.nan))
        willing.append(tick["state"] in WILLING)
        gripper.append(tick["gripper_command_m"])
        opening.append(tick["gripper_opening_m"])
    if not stamps:
        raise incomplete(episode.name, f"has no message on /{robot}/servo_tick")
    by_time = np.argsort(np.array(stamps, dtype=np.int64), kind="stable")
    times = (np.array(stamps, dtype=np.int64), np.array(states, dtype=np.int64))
    columns = (*times, sent, positions, willing, gripper, opening)
    return TickLog(*(np.asarray(column)[by_time] for column in columns))


def interpolated(times_ns: np.ndarray, values: np.ndarray, at_ns: int) -> np.ndarray | None:
    after = int(np.searchsorted(times_ns, at_ns))
    if after == len(times_ns) or (after == 0 and times_ns[0] != at_ns):
        return None
    before = after if times_ns[after] == at_ns else after - 1
    span_ns = int(times_ns[after] - times_ns[before])
    if span_ns > TICK_GAP_MAX_NS:
        return None
    share = 0.0 if span_ns == 0 else int(at_ns - times_ns[before]) / span_ns
    found = (1 - share) * values[before] + share * values[after]
    return found if np.isfinite(found).all() else None
