"""Steps in which a teacher said what it wanted, and what each camera saw at their times."""

from __future__ import annotations

import numpy as np

from cerebellum_trainer.episodes import Episode
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.records import incomplete

STEP_TOPIC = "/cerebellum/policy_step"


def labelled_steps(episode: Episode) -> list[dict]:
    """Those that were commanded, have a label and saw through a camera of the episode, in order.

    Raises: TrainerError EPISODE_INCOMPLETE if there is none.
    """
    steps = []
    for message in episode.messages(STEP_TOPIC):
        step = message.values
        has_label = len(step["label_rad"]) > 0 and step["camera"] in episode.records.cameras
        if has_label and step["refusal"] == "" and episode.keeps(message.log_ns):
            steps.append(step)
    if not steps:
        raise TrainerError(
            "EPISODE_INCOMPLETE",
            f"{episode.name} has no step with a teacher's label",
            "Train on what was sent: --actions sent",
        )
    return sorted(steps, key=lambda step: step["stamp"])


def image_stamps(episode: Episode, camera_name: str, steps: list[dict], period_ns: int) -> list[int]:
    """For each step the stamp of what a camera saw then: the step's own image where the policy saw through
    this camera, else the camera's image nearest to that one in time.

    Raises: TrainerError EPISODE_INCOMPLETE if the nearest is half a period of the policy or more away.
    """
    there = np.array([], dtype=np.int64)
    if any(step["camera"] != camera_name for step in steps):
        there = np.array(episode.stamps(episode.camera(camera_name).image_topic), dtype=np.int64)
        if len(there) == 0:
            raise incomplete(episode.name, f"has no image of camera {camera_name}")
    found = []
    for step in steps:
        stamp_ns = step["image_stamp"]
        if step["camera"] != camera_name:
            nearest_ns = int(there[np.abs(there - stamp_ns).argmin()])
            check_distance(episode, camera_name, stamp_ns, abs(nearest_ns - stamp_ns), period_ns // 2)
            stamp_ns = nearest_ns
        found.append(stamp_ns)
    return found


def check_distance(episode: Episode, camera_name: str, stamp_ns: int, off_ns: int, limit_ns: int) -> None:
    if off_ns < limit_ns:
        return
    raise incomplete(
        episode.name,
        f"has no image of camera {camera_name} within {limit_ns / 1e6:.0f} ms of a step's at {stamp_ns} ns "
        f"(the nearest is {off_ns / 1e6:.0f} ms away)",
    )
