"""What a policy is to learn from an episode: image, joint positions at its time, and an action, from
one of four sources:

label   A teacher's own answer in each recorded step (scripted experts): `label_rad` of
        /cerebellum/policy_step. The step names its image by exact stamp: that is what a policy with the
        step's camera sees. With another camera it is the image nearest in time to that one, and an episode in
        which it is half a period or more away is refused (docs/decisions/0062).
sent    What the robot was really told, for whoever moved it (people above all): at the policy's rate,
        action(t) = sent(t + one period) - measured(t), t being the image's stamp, both from the tick log.
        Of a teleoperated episode nothing counts before the arm first followed the hand, nor while the
        clutch was open for longer than a moment; after the last release the arm stands at its goal.
motion  The same, but where the robot was one period later instead of what it had been told: for recordings of
        others' robots, in which nobody kept what was sent. It lags behind what moved the robot.
path    Where the robot was led next, however fast: the first of what was sent after the image that is a whole
        step away from where it was at its time, or as far as it came. For people's hands, whose speed rises
        and falls with every stroke and says nothing that a picture shows.

Why "sent" is right for a policy whose action is relative to the position measured at the image's time:
docs/decisions/0018. Fingers are springs: one that presses is told to be inside of the object, and stays where
it is. Its action is what it was told, press included; how far it was led on, and whether it stands still, is
judged among what it was told, because there the press does not count as a way still to go (0038).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from cerebellum_trainer.devices import Body
from cerebellum_trainer.episodes import Episode
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import StoredImage
from cerebellum_trainer.labels import image_stamps, labelled_steps
from cerebellum_trainer.records import RecordedCamera, incomplete
from cerebellum_trainer.ticks import TICK_GAP_MAX_NS, Ticks, read_ticks

Actions = Literal["label", "sent", "motion", "path"]
TELEOP_TOPIC = "/cerebellum/teleop_input"
# Fingers that move, or whose command changes, by more than this between two samples are under way [m].
FINGERS_STILL_M = 0.001
FINGERS_NS = 700_000_000
# A clutch that is open for longer is a pause: the arm stands because the hand is being put back.
PAUSE_NS_MIN = 300_000_000
# A step's joints against the tick log: more is a wrong clock or a wrong joint order. Room for about 1 rad/s
# over the time that may lie between two reports of the arm.
POSITION_AGREEMENT_RAD = 0.1


@dataclass(frozen=True)
class Sample:
    """Joint vectors (joints,) float64, the policy's order: position [rad], action [rad a step].

    `told_rad`: where the robot was told to be at the image's time; of a stiff joint, where it was.
    `still`: the action leads no joint on. `hold`: belongs to the still end of its episode.
    `gripper_m`: opening that was asked for when the action had been done, or that a teacher wanted; NaN when
    none ever was. `opening_m`: newest that was known at the image's time; NaN without a gripper.
    `has_gripper`: one of the robots has one.
    """

    image_stamp_ns: int
    hold: bool
    still: bool
    position_rad: np.ndarray
    told_rad: np.ndarray
    action_rad: np.ndarray
    image: StoredImage
    gripper_m: float = math.nan
    has_gripper: bool = False
    opening_m: float = math.nan


@dataclass(frozen=True)
class Reading:
    """How episodes become samples."""

    actions: Actions = "label"
    """label: what a scripted teacher wanted; sent: what was sent to the robot one period later, whoever moved
    it; motion: where it was one period later; path: where it was led next, however fast."""
    lead_ms: float = 0.0
    """Added to the period of "sent" and "motion" [ms]: what passes from an image to the command that
    answers."""
    step_rad: float = 0.12
    """Largest motion of an arm's joint in an action of "path" [rad]."""
    finger_step_rad: float = 0.3
    """The same of a finger's joint [rad]."""
    path_s: float = 2.5
    """How far "path" looks along the path [s]: a robot that stands for longer is meant to stand."""
    phases: int = 1
    """Grids of "sent", "motion" and "path" in a period, evenly shifted: 3 gives three times the samples."""
    camera: str = "wrist"
    """Its role in the cell: which of the recorded cameras the policy sees through."""
    crop: tuple[int, int, int, int] | None = None
    """Rectangle of its image that the policy sees: x, y, width, height [px]. The lower centre when none is
    given."""
    robots: tuple[str, ...] = ()
    """Robots that the policy moves, in the order of its joints; the one that carries the camera when none is
    named."""
    gripper: bool = False
    """Also learn the opening that the gripper is asked for; one more number of state and action."""
    include_flagged: bool = False
    """Also train on episodes that the recorder has flagged."""

    def robots_of(self, episode: Episode) -> list[str]:
        return list(self.robots) or [episode.camera(self.camera).robot]


@dataclass(frozen=True)
class Stillness:
    """A sample whose action leads no joint further than this stands still [rad]."""

    arm_rad: float
    finger_rad: float

    def of(self, body: Body) -> np.ndarray:
        """One for each joint."""
        return np.where(body.is_compliant, self.finger_rad, self.arm_rad)


def read_samples(episode: Episode, reading: Reading, rate_hz: float, stillness: Stillness) -> list[Sample]:
    """The still samples in a row at the end are a hold, unless a teacher has said so itself.

    Raises: TrainerError EPISODE_INCOMPLETE or EPISODE_INCONSISTENT, naming the file, or what reading raises.
    """
    samples = read_arm_samples(episode, reading, rate_hz, stillness)
    return with_gripper(episode, samples) if reading.gripper else samples


def read_arm_samples(
    episode: Episode, reading: Reading, rate_hz: float, stillness: Stillness
) -> list[Sample]:
    camera = episode.camera(reading.camera)
    robots = reading.robots_of(episode)
    body = episode.body(robots)
    still_rad = stillness.of(body)
    if reading.actions == "label":
        # The first image of a kept part is older than the part.
        ticks = read_ticks(episode, robots, is_trimmed=False)
        period_ns = round(1e9 / rate_hz)
        return label_samples(episode, reading.camera, camera, robots, ticks, still_rad, period_ns)
    ticks = read_ticks(episode, robots, is_trimmed=True)
    pauses = read_pauses(episode)
    period_ns = round(1e9 / rate_hz)
    action: ActionOf
    if reading.actions == "path":
        step_rad = np.where(body.is_compliant, reading.finger_step_rad, reading.step_rad)
        action = Path(ticks, pauses, step_rad, round(1e9 * reading.path_s)).action
    else:
        look = motion_action if reading.actions == "motion" else sent_action
        action = partial(look, ticks, pauses, period_ns + round(1e6 * reading.lead_ms))
    is_compliant = np.array(body.is_compliant)
    return derived_samples(episode, camera, ticks, period_ns, reading.phases, is_compliant, still_rad, action)


def label_samples(
    episode: Episode,
    camera_name: str,
    camera: RecordedCamera,
    robots: list[str],
    ticks: Ticks,
    still_rad: np.ndarray,
    period_ns: int,
) -> list[Sample]:
    """One for each step that was commanded and has a label, in order. Joints and label are of the time of the
    step's own image, whichever camera is seen through.
    """
    steps = labelled_steps(episode)
    stamps = image_stamps(episode, camera_name, steps, period_ns)
    images = read_images(episode, camera_name, camera, set(stamps))
    order = episode.joint_order(robots)
    samples = []
    for step, stamp_ns in zip(steps, stamps, strict=True):
        position = joint_vector(episode, step["position_rad"], order)
        action = joint_vector(episode, step["label_rad"], order)
        check_position(episode, position, ticks.position_near(step["image_stamp"]))
        if stamp_ns not in images:
            raise incomplete(episode.name, f"lacks the image of {stamp_ns} ns that a step used")
        is_still = bool((np.abs(action) < still_rad).all())
        is_hold = step["phase"] == "hold"
        samples.append(
            Sample(
                stamp_ns,
                is_hold,
                is_still,
                position,
                position,
                action,
                images[stamp_ns],
                step.get("gripper_label_m", math.nan),
                ticks.has_gripper,
                step["gripper_opening_m"],
            )
        )
    return samples


@dataclass(frozen=True)
class Action:
    """What was derived for an image: where the robot was led [rad], and the last moment that was looked at
    [epoch ns].
    """

    led_to_rad: np.ndarray
    until_ns: int


# The action for an image's time and for where the robot was then (told, or measured), or why there is none.
ActionOf = Callable[[int, np.ndarray], Action | str]


def derived_samples(
    episode: Episode,
    camera: RecordedCamera,
    ticks: Ticks,
    period_ns: int,
    phases: int,
    is_compliant: np.ndarray,
    still_rad: np.ndarray,
    action_of: ActionOf,
) -> list[Sample]:
    """One for each period whose action the tick log tells; the others are left out."""
    found: list[tuple[int, np.ndarray, np.ndarray, Action]] = []
    left_out: Counter[str] = Counter()
    for stamp_ns in on_grids(sorted(episode.stamps(camera.image_topic)), period_ns, phases):
        position, sent = ticks.position_at(stamp_ns), ticks.sent_at(stamp_ns)
        if position is None or (sent is None and is_compliant.any()):
            left_out["without ticks"] += 1
            continue
        told = position if sent is None else np.where(is_compliant, sent, position)
        action = action_of(stamp_ns, told)
        if isinstance(action, str):
            left_out[action] += 1
        else:
            found.append((stamp_ns, position, told, action))
    if not found:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "no image"
        raise incomplete(episode.name, f"has no period in which image and ticks belong together ({why})")
    images = read_images(episode, None, camera, {stamp_ns for stamp_ns, *_ in found})
    still = [bool((np.abs(action.led_to_rad - told) < still_rad).all()) for _, _, told, action in found]
    holds_from = still_end(still)
    return [
        Sample(
            stamp_ns,
            place >= holds_from,
            still[place],
            position,
            told,
            action.led_to_rad - position,
            images[stamp_ns],
            ticks.gripper_at(action.until_ns),
            ticks.has_gripper,
            ticks.opening_at(stamp_ns),
        )
        for place, (stamp_ns, position, told, action) in enumerate(found)
    ]


def sent_action(
    ticks: Ticks, pauses: list[tuple[int, int]], ahead_ns: int, stamp_ns: int, _told: np.ndarray
) -> Action | str:
    sent = ticks.sent_at(stamp_ns + ahead_ns)
    if sent is None:
        return "without ticks"
    if not ticks.was_willing(stamp_ns, stamp_ns + ahead_ns):
        return "while the servo neither followed nor held"
    if any(start < stamp_ns + ahead_ns and stamp_ns < end for start, end in pauses):
        return "while the operator's clutch was open"
    return Action(sent, stamp_ns + ahead_ns)


def motion_action(
    ticks: Ticks, pauses: list[tuple[int, int]], ahead_ns: int, stamp_ns: int, told: np.ndarray
) -> Action | str:
    action = sent_action(ticks, pauses, ahead_ns, stamp_ns, told)
    position = ticks.position_at(stamp_ns + ahead_ns)
    if isinstance(action, str) or position is None:
        return action if isinstance(action, str) else "without ticks"
    return Action(position, action.until_ns)


class Path:
    """Where the robot was led, without the time that it stood because the clutch was open."""

    def __init__(
        self, ticks: Ticks, pauses: list[tuple[int, int]], step_rad: np.ndarray, ahead_ns: int
    ) -> None:
        """`step_rad`: a whole step, for each joint."""
        counts = np.ones(len(ticks.stamp_ns), bool)
        for start, end in pauses:
            counts &= (ticks.stamp_ns < start) | (ticks.stamp_ns >= end)
        self._ticks, self._pauses = ticks, pauses
        self._step_rad, self._ahead_ns = step_rad, ahead_ns
        self._places = np.flatnonzero(counts & np.isfinite(ticks.sent_rad).all(axis=1))
        # Time along the path [ns]: what the ticks before took, gaps and pauses left aside.
        steps = np.diff(ticks.stamp_ns[self._places], prepend=ticks.stamp_ns[self._places][:1])
        self._along_ns = np.cumsum(np.where(steps <= TICK_GAP_MAX_NS, steps, 0))

    def action(self, stamp_ns: int, told: np.ndarray) -> Action | str:
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
        gone: np.ndarray = np.any(np.abs(ticks.sent_rad[places] - told) >= self._step_rad, axis=1)
        place = places[int(gone.argmax()) if gone.any() else -1]
        return Action(ticks.sent_rad[place], int(ticks.stamp_ns[place]))


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


def still_end(still: list[bool]) -> int:
    """Where the samples at the end begin that all stand still."""
    place = len(still)
    while place > 0 and still[place - 1]:
        place -= 1
    return place


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
            f"{episode.name} has a step {off_rad:.3f} rad off the tick log (limit {POSITION_AGREEMENT_RAD}): "
            "another order of joints, unit or clock",
            "Leave this episode out or record it again",
        )


def with_gripper(episode: Episode, samples: list[Sample]) -> list[Sample]:
    """The same with an opening to ask for in each: while nobody has asked for one, the fingers stay.
    A sample in which the fingers are under way is not still, though no joint is led on.

    Raises: TrainerError EPISODE_INCOMPLETE if a sample does not say how far the fingers are open.
    """
    opening = np.array([sample.opening_m for sample in samples])
    if not np.isfinite(opening).all():
        raise incomplete(episode.name, "has samples without the gripper's opening")
    asked = np.array([sample.gripper_m for sample in samples])
    asked = np.where(np.isfinite(asked), asked, opening)
    stamps = np.array([sample.image_stamp_ns for sample in samples], dtype=np.int64)
    under_way = fingers_under_way(stamps, opening, asked)
    return [
        replace(sample, gripper_m=float(asked[place]), still=sample.still and not bool(under_way[place]))
        for place, sample in enumerate(samples)
    ]


def fingers_under_way(stamps_ns: np.ndarray, opening_m: np.ndarray, asked_m: np.ndarray) -> np.ndarray:
    """(n,) bool: what is asked for or what is read changes within `FINGERS_NS` before or after the sample.

    A gripper is read much more seldom than an arm, so one reading that stays proves nothing.
    """
    changes = np.flatnonzero(
        (np.abs(np.diff(opening_m)) > FINGERS_STILL_M) | (np.abs(np.diff(asked_m)) > FINGERS_STILL_M)
    )
    moments = np.concatenate([stamps_ns[changes], stamps_ns[changes + 1]])
    if len(moments) == 0:
        return np.zeros(len(stamps_ns), bool)
    return (np.abs(stamps_ns[:, None] - moments[None]) <= FINGERS_NS).any(axis=1)


def samples_sha256(file_sha256: str, samples: list[Sample], gripper: bool = False) -> str:
    """Of a file and of all that was derived from it: trims and the choice of actions change it."""
    digest = hashlib.sha256(file_sha256.encode())
    for sample in samples:
        digest.update(f"{sample.image_stamp_ns} {sample.hold} ".encode())
        digest.update(np.concatenate([sample.position_rad, sample.action_rad]).tobytes())
        if gripper:
            digest.update(np.array([sample.opening_m, sample.gripper_m]).tobytes())
    return digest.hexdigest()
