"""What a policy is to learn from an episode: image, joint positions at its time, and an action, from
one of three sources:

label   A teacher's own answer in each recorded step (scripted experts): `label_rad` of
        /cerebellum/policy_step. The step names its image by exact stamp; nothing is matched by nearness.
sent    What the robot was really told, for whoever moved it (people above all): at the policy's rate,
        action(t) = sent(t + one period) - measured(t), t being the image's stamp, both from the tick log.
        Of a teleoperated episode nothing counts before the arm first followed the hand, nor while the
        clutch was open for longer than a moment; after the last release the arm stands at its goal.
path    Where the robot was led next, however fast: the first of what was sent after the image that is a whole
        step away from the position measured at its time, or as far as it came. For hands, whose speed rises
        and falls with every stroke and says nothing that a picture shows.

Why "sent" is right for a policy whose action is relative to the position measured at the image's time:
docs/decisions/0018.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from cerebellum_trainer.episodes import Episode
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import StoredImage
from cerebellum_trainer.records import RecordedCamera, incomplete

Actions = Literal["label", "sent", "path"]
STEP_TOPIC = "/cerebellum/policy_step"
TELEOP_TOPIC = "/cerebellum/teleop_input"
# A clutch that is open for longer is a pause: the arm stands because the hand is being put back.
PAUSE_NS_MIN = 300_000_000
# A step's joints against the tick log: more is a wrong clock or a wrong joint order. Room for about 1 rad/s
# over the time that may lie between two reports of the arm.
POSITION_AGREEMENT_RAD = 0.1
# Ticks that the log may lack in a row, and the oldest measurement that an image is given.
TICK_GAP_MAX_NS = 100_000_000
# States of the servo in which what was sent is what somebody wanted.
WILLING = ("following", "holding")


@dataclass(frozen=True)
class Sample:
    """Joint vectors (7,) float64, base to tool: position [rad], action [rad a step].

    `hold`: belongs to the still end of its episode.
    `gripper_m`: opening that was asked for when the action had been done; NaN when none ever was.
    """

    image_stamp_ns: int
    hold: bool
    position_rad: np.ndarray
    action_rad: np.ndarray
    image: StoredImage
    gripper_m: float = math.nan


@dataclass(frozen=True)
class Reading:
    """How episodes become samples."""

    actions: Actions = "label"
    """label: what a scripted teacher wanted; sent: what was sent to the robot one period later, whoever moved
    it; path: where it was led next, however fast."""
    lead_ms: float = 0.0
    """Added to the period of "sent": what passes from an image to the command that answers it."""
    step_rad: float = 0.12
    """Largest motion of a joint in an action of "path"."""
    path_s: float = 2.5
    """How far "path" looks along the path: a robot that stands for longer is meant to stand."""
    phases: int = 1
    """Grids of "sent" and "path" in a period, evenly shifted: 3 gives three times the samples."""
    camera: str = "wrist"
    include_flagged: bool = False
    """Also train on episodes that the recorder has flagged."""


@dataclass(frozen=True)
class TickLog:
    """n ticks of a robot. sent, position: (n, 7) [rad]; times [epoch ns], `state_ns` of the positions.

    gripper: (n,) newest opening that was asked for [m].
    """

    stamp_ns: np.ndarray
    state_ns: np.ndarray
    sent_rad: np.ndarray
    position_rad: np.ndarray
    is_willing: np.ndarray
    gripper_m: np.ndarray

    def position_at(self, at_ns: int) -> np.ndarray | None:
        """Measured, interpolated; None without a report within `TICK_GAP_MAX_NS` on both sides."""
        return interpolated(self.state_ns, self.position_rad, at_ns)

    def position_near(self, at_ns: int) -> np.ndarray | None:
        """The same, or the nearest report within the limit: to compare with, not to learn from."""
        place = int(np.abs(self.state_ns - at_ns).argmin())
        is_near = abs(int(self.state_ns[place]) - at_ns) <= TICK_GAP_MAX_NS
        between = self.position_at(at_ns)
        return self.position_rad[place] if between is None and is_near else between

    def sent_at(self, at_ns: int) -> np.ndarray | None:
        """Newest setpoint that had left for the robot then."""
        place = int(np.searchsorted(self.stamp_ns, at_ns, side="right")) - 1
        if place < 0 or at_ns - int(self.stamp_ns[place]) > TICK_GAP_MAX_NS:
            return None
        sent = self.sent_rad[place]
        return sent if np.isfinite(sent).all() else None

    def gripper_at(self, at_ns: int) -> float:
        place = int(np.searchsorted(self.stamp_ns, at_ns, side="right")) - 1
        return float(self.gripper_m[place]) if place >= 0 else math.nan

    def was_willing(self, from_ns: int, to_ns: int) -> bool:
        first, last = np.searchsorted(self.stamp_ns, [from_ns, to_ns])
        return bool(self.is_willing[max(0, first - 1) : last + 1].all())


def read_samples(episode: Episode, reading: Reading, rate_hz: float, still_rad: float) -> list[Sample]:
    """`still_rad`: a "sent" sample whose largest action is smaller stands still; the last of them in a row
    are a hold.

    Raises: TrainerError EPISODE_INCOMPLETE or EPISODE_INCONSISTENT, naming the file, or what reading raises.
    """
    camera = episode.camera(reading.camera)
    if reading.actions == "label":
        # The first image of a kept part is older than the part.
        ticks = read_ticks(episode, camera.robot, is_trimmed=False)
        return label_samples(episode, reading.camera, camera, ticks)
    ticks = read_ticks(episode, camera.robot, is_trimmed=True)
    pauses = read_pauses(episode)
    period_ns = round(1e9 / rate_hz)
    if reading.actions == "path":
        path = Path(ticks, pauses, reading.step_rad, round(1e9 * reading.path_s))
        return derived_samples(episode, camera, ticks, period_ns, reading.phases, still_rad, path.action)
    ahead_ns = period_ns + round(1e6 * reading.lead_ms)
    action = partial(sent_action, ticks, pauses, ahead_ns)
    return derived_samples(episode, camera, ticks, period_ns, reading.phases, still_rad, action)


def label_samples(episode: Episode, camera_name: str, camera: RecordedCamera, ticks: TickLog) -> list[Sample]:
    """One for each step that was commanded and has a label, in order."""
    steps = []
    for message in episode.messages(STEP_TOPIC):
        step = message.values
        has_label = len(step["label_rad"]) > 0 and step["camera"] == camera_name
        if has_label and step["refusal"] == "" and episode.keeps(message.log_ns):
            steps.append(step)
    steps.sort(key=lambda step: step["stamp"])
    if not steps:
        raise TrainerError(
            "EPISODE_INCOMPLETE",
            f"{episode.name} has no step with a teacher's label for camera {camera_name}",
            "Train on what was sent: --actions sent",
        )
    images = read_images(episode, camera_name, camera, {step["image_stamp"] for step in steps})
    order = episode.joint_order(camera.robot)
    samples = []
    for step in steps:
        stamp_ns = step["image_stamp"]
        position = joint_vector(episode, step["position_rad"], order)
        action = joint_vector(episode, step["label_rad"], order)
        check_position(episode, position, ticks.position_near(stamp_ns))
        if stamp_ns not in images:
            raise incomplete(episode.name, f"lacks the image of {stamp_ns} ns that a step used")
        samples.append(Sample(stamp_ns, step["phase"] == "hold", position, action, images[stamp_ns]))
    return samples


@dataclass(frozen=True)
class Action:
    """What was derived for an image: joint step [rad], and the last moment that it looks at [epoch ns]."""

    action_rad: np.ndarray
    until_ns: int


def derived_samples(
    episode: Episode,
    camera: RecordedCamera,
    ticks: TickLog,
    period_ns: int,
    phases: int,
    still_rad: float,
    action_of: Callable[[int, np.ndarray], Action | str],
) -> list[Sample]:
    """One for each period whose action the tick log tells; the others are left out.

    `action_of`: the action for an image's time and the position measured then, or why there is none.
    """
    found: list[tuple[int, np.ndarray, Action]] = []
    left_out: Counter[str] = Counter()
    for stamp_ns in on_grids(sorted(episode.stamps(camera.image_topic)), period_ns, phases):
        position = ticks.position_at(stamp_ns)
        action = "without ticks" if position is None else action_of(stamp_ns, position)
        if isinstance(action, str):
            left_out[action] += 1
        elif position is not None:
            found.append((stamp_ns, position, action))
    if not found:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "no image"
        raise incomplete(episode.name, f"has no period in which image and ticks belong together ({why})")
    images = read_images(episode, None, camera, {stamp_ns for stamp_ns, _, _ in found})
    holds_from = still_end([action.action_rad for _, _, action in found], still_rad)
    return [
        Sample(
            stamp_ns,
            place >= holds_from,
            position,
            action.action_rad,
            images[stamp_ns],
            ticks.gripper_at(action.until_ns),
        )
        for place, (stamp_ns, position, action) in enumerate(found)
    ]


def sent_action(
    ticks: TickLog, pauses: list[tuple[int, int]], ahead_ns: int, stamp_ns: int, position: np.ndarray
) -> Action | str:
    sent = ticks.sent_at(stamp_ns + ahead_ns)
    if sent is None:
        return "without ticks"
    if not ticks.was_willing(stamp_ns, stamp_ns + ahead_ns):
        return "while the servo neither followed nor held"
    if any(start < stamp_ns + ahead_ns and stamp_ns < end for start, end in pauses):
        return "while the operator's clutch was open"
    return Action(sent - position, stamp_ns + ahead_ns)


class Path:
    """Where the robot was led, without the time that it stood because the clutch was open."""

    def __init__(self, ticks: TickLog, pauses: list[tuple[int, int]], step_rad: float, ahead_ns: int) -> None:
        counts = np.ones(len(ticks.stamp_ns), bool)
        for start, end in pauses:
            counts &= (ticks.stamp_ns < start) | (ticks.stamp_ns >= end)
        self._ticks, self._pauses = ticks, pauses
        self._step_rad, self._ahead_ns = step_rad, ahead_ns
        self._places = np.flatnonzero(counts & np.isfinite(ticks.sent_rad).all(axis=1))
        # Time along the path [ns]: what the ticks before took, gaps and pauses left aside.
        steps = np.diff(ticks.stamp_ns[self._places], prepend=ticks.stamp_ns[self._places][:1])
        self._along_ns = np.cumsum(np.where(steps <= TICK_GAP_MAX_NS, steps, 0))

    def action(self, stamp_ns: int, position: np.ndarray) -> Action | str:
        if any(start <= stamp_ns < end for start, end in self._pauses):
            return "while the operator's clutch was open"
        ticks = self._ticks
        first = int(np.searchsorted(ticks.stamp_ns[self._places], stamp_ns))
        if first == len(self._places):
            return "without ticks"
        end = int(np.searchsorted(self._along_ns, self._along_ns[first] + self._ahead_ns, side="right"))
        places = self._places[first:end]
        unwilling = np.flatnonzero(~ticks.is_willing[places])
        if len(unwilling) > 0:
            places = places[: unwilling[0]]
        if len(places) == 0:
            return "while the servo neither followed nor held"
        gone = np.abs(ticks.sent_rad[places] - position).max(axis=1) >= self._step_rad
        place = places[int(gone.argmax()) if gone.any() else -1]
        return Action(ticks.sent_rad[place] - position, int(ticks.stamp_ns[place]))


def read_pauses(episode: Episode) -> list[tuple[int, int]]:
    """Stretches (from, to) [epoch ns] of a teleoperated episode in which the arm did not follow the hand:
    before it first did, and wherever the clutch was open for longer than a moment and pressed again later.

    None for an episode in which no hand was ever followed: something else moved the robot.
    """
    states = sorted(
        (message.values["stamp"], message.values["state"] == "engaged")
        for message in episode.messages(TELEOP_TOPIC)
    )
    engaged = [stamp_ns for stamp_ns, is_engaged in states if is_engaged]
    if not engaged:
        return []
    pauses = [(0, engaged[0])]
    # Ends at the first message that says otherwise, not at the last one that says engaged.
    let_go: int | None = None
    for stamp_ns, is_engaged in states:
        if stamp_ns < engaged[0]:
            continue
        if not is_engaged:
            let_go = stamp_ns if let_go is None else let_go
        elif let_go is not None:
            if stamp_ns - let_go > PAUSE_NS_MIN:
                pauses.append((let_go, stamp_ns))
            let_go = None
    return pauses


def on_grids(stamps_ns: list[int], period_ns: int, phases: int) -> list[int]:
    """Stamps of several grids, shifted by equal parts of a period; each stamp once, in order."""
    shifts_ns = (phase * period_ns // phases for phase in range(phases))
    return sorted({stamp for shift_ns in shifts_ns for stamp in on_grid(stamps_ns, period_ns, shift_ns)})


def on_grid(stamps_ns: list[int], period_ns: int, shift_ns: int = 0) -> list[int]:
    """For each period from the first stamp and a shift on, the stamp nearest to it; none where images are
    missing.
    """
    chosen: list[int] = []
    if not stamps_ns:
        return chosen
    stamps = np.array(stamps_ns, dtype=np.int64)
    for due_ns in range(stamps_ns[0] + shift_ns, stamps_ns[-1] + period_ns // 2, period_ns):
        nearest = stamps_ns[int(np.abs(stamps - due_ns).argmin())]
        if abs(nearest - due_ns) < period_ns // 2 and (not chosen or nearest > chosen[-1]):
            chosen.append(nearest)
    return chosen


def still_end(actions: list[np.ndarray], still_rad: float) -> int:
    """Where the samples at the end begin that all stand still."""
    place = len(actions)
    while place > 0 and np.abs(actions[place - 1]).max() < still_rad:
        place -= 1
    return place


def read_ticks(episode: Episode, robot: str, is_trimmed: bool) -> TickLog:
    """The tick log, or the kept part of it. Raises: TrainerError EPISODE_INCOMPLETE if it is empty."""
    order = episode.joint_order(robot)
    stamps, states, sent, positions, willing, gripper = [], [], [], [], [], []
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
    if not stamps:
        raise incomplete(episode.name, f"has no message on /{robot}/servo_tick")
    by_time = np.argsort(np.array(stamps, dtype=np.int64), kind="stable")
    times = (np.array(stamps, dtype=np.int64), np.array(states, dtype=np.int64))
    columns = (*times, sent, positions, willing, gripper)
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


def read_images(
    episode: Episode, camera_name: str | None, camera: RecordedCamera, stamps_ns: set[int]
) -> dict[int, StoredImage]:
    """Images of exactly these stamps: the camera's own, else those kept because a policy used them."""
    topics = [camera.image_topic]
    if camera_name is not None:
        topics.append(f"/cerebellum/policy_input/{camera_name}/compressed")
    found: dict[int, StoredImage] = {}
    for topic in topics:
        missing = stamps_ns - found.keys()
        if not missing:
            break
        for message in episode.messages(topic):
            stamp_ns = message.values["header"]["stamp"]
            if stamp_ns in missing:
                found[stamp_ns] = StoredImage.of(message.values)
    return found


def joint_vector(episode: Episode, values: np.ndarray, order: list[int]) -> np.ndarray:
    if len(values) <= max(order) or not np.isfinite(values).all():
        raise incomplete(
            episode.name, f"has a step with {values} where {len(order)} finite numbers are expected"
        )
    return values[order]


def check_position(episode: Episode, position: np.ndarray, measured: np.ndarray | None) -> None:
    """A step's position must be what the arm reported then: catches a wrong clock, order or unit."""
    if measured is None:
        limit_ms = TICK_GAP_MAX_NS // 1_000_000
        raise incomplete(episode.name, f"has no measured position within {limit_ms} ms of a step's image")
    off_rad = float(np.abs(measured - position).max())
    if off_rad > POSITION_AGREEMENT_RAD:
        raise TrainerError(
            "EPISODE_INCONSISTENT",
            f"{episode.name} has a step {off_rad:.3f} rad off the tick log (limit {POSITION_AGREEMENT_RAD})",
            "Leave this episode out or record it again",
        )


def samples_sha256(file_sha256: str, samples: list[Sample]) -> str:
    """Of a file and of all that was derived from it: trims and the choice of actions change it."""
    digest = hashlib.sha256(file_sha256.encode())
    for sample in samples:
        digest.update(f"{sample.image_stamp_ns} {sample.hold} ".encode())
        digest.update(np.concatenate([sample.position_rad, sample.action_rad]).tobytes())
    return digest.hexdigest()
