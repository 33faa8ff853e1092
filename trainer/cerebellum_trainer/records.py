"""What an episode says of itself (MCAP metadata records `episode` and `episode_end`), and what was decided
about it later (`edits.jsonl` of its set): the layouts of episodes/format.ts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from cerebellum_trainer.errors import TrainerError

SCHEMA = "cerebellum/episode@1"
EDIT_SCHEMA = "cerebellum/edit@1"
EDITS_FILE = "edits.jsonl"
START_RECORD = "episode"
END_RECORD = "episode_end"
OUTCOMES = ("success", "failure", "unlabelled")


@dataclass(frozen=True)
class Camera:
    """What a camera sees: size, field of view, and the pose of its optical frame in the frame of the robot
    that it is fixed to (an arm's flange or base, a hand's palm): position [m], quaternion xyzw.
    """

    width_px: int
    height_px: int
    parent_frame: str
    position_m: tuple[float, float, float]
    quat_xyzw: tuple[float, float, float, float]
    fov_y_deg: float


@dataclass(frozen=True)
class RecordedCamera:
    image_topic: str
    robot: str
    pose: Camera


@dataclass(frozen=True)
class Records:
    """Both records of one file."""

    uuid: str
    name: str
    task: str
    outcome: str
    # e.g. "gap /camera/wrist: no image for 1.2 s"
    flags: tuple[str, ...]
    cameras: dict[str, RecordedCamera]
    joint_names: dict[str, tuple[str, ...]]
    # As the recorder wrote them; empty in a recording that says nothing.
    calibration: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decisions:
    """All edits of one episode together; None where nothing was decided. Trims are epoch ns of log time."""

    outcome: str | None = None
    dropped: bool = False
    from_ns: int | None = None
    to_ns: int | None = None


def parse_records(file: str, start: Mapping[str, str] | None, end: Mapping[str, str] | None) -> Records:
    """Raises: TrainerError EPISODE_FORM for another form, EPISODE_INCOMPLETE for what is missing."""
    if start is None or end is None:
        raise incomplete(file, f'has no metadata record "{START_RECORD if start is None else END_RECORD}"')
    form = start.get("schema")
    if form != SCHEMA:
        raise TrainerError(
            "EPISODE_FORM",
            f'{file} is of form "{form}"; this program reads {SCHEMA}',
            "Train with the version that recorded it, or a newer one",
        )
    try:
        cameras = {name: parse_camera(camera) for name, camera in json.loads(start["cameras"]).items()}
        robots = json.loads(start["robots"])
        joint_names = {name: tuple(map(str, robot["jointNames"])) for name, robot in robots.items()}
        flags = tuple(f"{flag['code']} {flag['topic']}: {flag['text']}" for flag in json.loads(end["flags"]))
        calibration, software = (json.loads(start.get(key, "{}")) for key in ("calibration", "software"))
        uuid, name, task, outcome = start["uuid"], start["name"], start["task"], end["outcome"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise incomplete(file, f"has unusable metadata ({error!r})") from error
    if outcome not in OUTCOMES:
        raise incomplete(file, f'has the outcome "{outcome}", not one of {OUTCOMES}')
    return Records(uuid, name, task, outcome, flags, cameras, joint_names, calibration, software)


def parse_camera(camera: dict) -> RecordedCamera:
    mount = camera["mount"]
    position = tuple(float(value) for value in mount["positionM"])
    quat = tuple(float(value) for value in mount["quatXyzw"])
    if len(position) != 3 or len(quat) != 4 or abs(np.linalg.norm(quat) - 1) > 1e-3:
        raise ValueError(f"camera mount {mount} is no pose")
    frame = mount.get("parentFrame", "flange")
    pose = Camera(
        int(camera["widthPx"]), int(camera["heightPx"]), frame, position, quat, float(camera["fovYDeg"])
    )
    return RecordedCamera(camera["imageTopic"], mount["robot"], pose)


def read_edits(folder: Path) -> tuple[list[dict], list[str]]:
    """Edits of a set in the order in which they were made, and a remark for each line that has no effect.

    A crash can tear the line that was being written; the next one may then stand behind it on the same line.
    """
    file = folder / EDITS_FILE
    if not file.exists():
        return [], []
    edits: list[dict] = []
    remarks: list[str] = []
    for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").split("\n"), 1):
        found = as_json(line)
        if found is None and line.strip():
            remarks.append(f"line {number} of {EDITS_FILE} is torn")
            behind = line.rfind('{"schema":"cerebellum/edit@')
            found = as_json(line[behind:]) if behind > 0 else None
        if found is None:
            continue
        if usable_edit(found):
            edits.append(found)
        else:
            remarks.append(f"line {number} of {EDITS_FILE} is no edit that this program knows")
    return edits, remarks


def decisions(edits: list[dict], name: str, uuid: str) -> Decisions:
    """Edits of another recording of the same name have no effect; of each kind the last one counts."""
    found: dict = {}
    for edit in edits:
        if edit["episode"] != name or edit["uuid"] != uuid:
            continue
        if edit["kind"] == "label":
            found["outcome"] = edit["outcome"]
        elif edit["kind"] == "drop":
            found["dropped"] = edit["dropped"]
        else:
            found |= {"from_ns": as_ns(edit["fromNs"]), "to_ns": as_ns(edit["toNs"])}
    return Decisions(**found)


def usable_edit(edit: object) -> TypeGuard[dict]:
    if not isinstance(edit, dict) or edit.get("schema") != EDIT_SCHEMA:
        return False
    if not isinstance(edit.get("episode"), str) or not isinstance(edit.get("uuid"), str):
        return False
    kind = edit.get("kind")
    if kind == "label":
        return edit.get("outcome") in OUTCOMES
    if kind == "drop":
        return isinstance(edit.get("dropped"), bool)
    return kind == "trim" and all(is_ns(edit.get(key, "")) for key in ("fromNs", "toNs"))


def is_ns(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.isascii() and value.isdigit())


def as_ns(value: str | None) -> int | None:
    return None if value is None else int(value)


def as_json(text: str) -> object | None:
    try:
        return json.loads(text)
    except ValueError:
        return None


def incomplete(file: str, what: str) -> TrainerError:
    return TrainerError("EPISODE_INCOMPLETE", f"{file} {what}", "Leave this episode out or record it again")
