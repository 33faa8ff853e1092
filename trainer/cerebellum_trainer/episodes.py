"""Demonstrations: one MCAP file an episode, as the daemon records them (ROS 2 profile, CDR).

    /camera/wrist/color/image_raw/compressed  sensor_msgs/msg/CompressedImage  header.stamp = capture
    /arm/joint_states                         sensor_msgs/msg/JointState       joint1..joint7 and the gripper
    /demonstration/step                       std_msgs/msg/String              JSON, see `Step`
    metadata record "episode"                 task, seed, outcome, cameraMount (JSON), ...

A step is paired with the image of exactly its `imageStampNs`; nothing is matched by nearness.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader

from cerebellum_trainer import cdr
from cerebellum_trainer.errors import TrainerError

IMAGE_TOPIC = "/camera/wrist/color/image_raw/compressed"
JOINT_TOPIC = "/arm/joint_states"
STEP_TOPIC = "/demonstration/step"
JOINTS = tuple(f"joint{number}" for number in range(1, 8))
PHASES = ("reach", "hold")
# A step's joints against the nearest joint state: more is a wrong clock or a wrong joint order. Room for
# about 1 rad/s over the 100 ms that may lie between a frame and the nearest report.
POSITION_AGREEMENT_RAD = 0.1
JOINT_STATE_AGE_MAX_NS = 100_000_000


@dataclass(frozen=True)
class Step:
    """One decision of the expert. Joint vectors (7,) float64, base to tool: positions [rad], actions [rad a
    step].

    `action_rad` is the clean command, `executed_rad` what was really commanded (with exploration noise).
    """

    image_stamp_ns: int
    step_ns: int
    phase: str
    position_rad: np.ndarray
    action_rad: np.ndarray
    executed_rad: np.ndarray
    image: bytes


@dataclass(frozen=True)
class Camera:
    """Camera of a recording: pose of its optical frame in the flange frame, position [m], quaternion xyzw."""

    position_m: tuple[float, float, float]
    quat_xyzw: tuple[float, float, float, float]
    fov_y_deg: float


@dataclass(frozen=True)
class Episode:
    path: Path
    sha256: str
    metadata: dict[str, str]
    camera: Camera
    steps: list[Step]


def list_episodes(folder: Path) -> list[Path]:
    """Every finished recording in `folder`, by name. Raises: TrainerError EPISODES_MISSING if none."""
    paths = sorted(folder.glob("*.mcap"))
    if not paths:
        raise TrainerError("EPISODES_MISSING", f"{folder} holds no .mcap file", "Record demonstrations first")
    return paths


def read_episodes(folder: Path, task: str) -> Iterator[Episode]:
    """Successful episodes of `task`, one at a time: images are large. Others are skipped.

    Raises: TrainerError EPISODE_UNREADABLE or EPISODE_INCOMPLETE, naming the file.
    """
    for path in list_episodes(folder):
        episode = read_episode(path)
        if episode.metadata.get("task") == task and episode.metadata.get("outcome") == "success":
            yield episode


def read_episode(path: Path) -> Episode:
    """Reads and checks one file; a step without its image, or at odds with the joint states, is refused."""
    images: dict[int, bytes] = {}
    joints: list[cdr.JointState] = []
    raw_steps: list[str] = []
    try:
        with path.open("rb") as stream:
            reader = NonSeekingReader(stream)
            for _, channel, message in reader.iter_messages(topics=[IMAGE_TOPIC, JOINT_TOPIC, STEP_TOPIC]):
                if channel.topic == IMAGE_TOPIC:
                    image = cdr.read_compressed_image(message.data)
                    images[image.stamp_ns] = image.data
                elif channel.topic == JOINT_TOPIC:
                    joints.append(cdr.read_joint_state(message.data))
                else:
                    raw_steps.append(cdr.read_string(message.data))
            metadata = read_metadata(path)
    except (McapError, OSError, EOFError) as error:
        raise _refused("EPISODE_UNREADABLE", path, f"is no whole MCAP file: {error}") from error
    except TrainerError as error:
        raise _refused(error.code, path, f"is damaged: {error.happened}") from error
    if not raw_steps:
        raise _refused("EPISODE_INCOMPLETE", path, f"has no message on {STEP_TOPIC}")
    steps = [parse_step(path, raw, images) for raw in raw_steps]
    check_joint_states(path, steps, joints)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Episode(path, digest, metadata, parse_camera(path, metadata), steps)


def read_metadata(path: Path) -> dict[str, str]:
    """The record named "episode"."""
    with path.open("rb") as stream:
        for record in NonSeekingReader(stream).iter_metadata():
            if record.name == "episode":
                return dict(record.metadata)
    raise _refused("EPISODE_INCOMPLETE", path, 'has no metadata record "episode"')


def parse_step(path: Path, raw: str, images: dict[int, bytes]) -> Step:
    try:
        found = json.loads(raw)
        image_stamp_ns = int(found["imageStampNs"])
        vectors = [_joint_vector(found[key]) for key in ("positionRad", "actionRad", "executedRad")]
        step_ns, phase = int(found["stepNs"]), found["phase"]
    except (ValueError, KeyError, TypeError) as error:
        raise _refused(
            "EPISODE_INCOMPLETE", path, f"has a malformed step ({error!r}): {raw[:120]}"
        ) from error
    if phase not in PHASES:
        raise _refused("EPISODE_INCOMPLETE", path, f'has a step of phase "{phase}", not one of {PHASES}')
    if image_stamp_ns not in images:
        raise _refused("EPISODE_INCOMPLETE", path, f"lacks the image of {image_stamp_ns} ns that a step used")
    return Step(image_stamp_ns, step_ns, phase, *vectors, image=images[image_stamp_ns])


def parse_camera(path: Path, metadata: dict[str, str]) -> Camera:
    """Metadata `cameraMount`: JSON with positionM and quatXyzw (optical in flange frame) and fovYDeg."""
    try:
        mount = json.loads(metadata["cameraMount"])
        position = tuple(float(value) for value in mount["positionM"])
        quat = tuple(float(value) for value in mount["quatXyzw"])
        fov_y_deg = float(mount["fovYDeg"])
    except (ValueError, KeyError, TypeError) as error:
        raise _refused(
            "EPISODE_INCOMPLETE", path, f'has no usable "cameraMount" in its metadata ({error!r})'
        ) from error
    if len(position) != 3 or len(quat) != 4 or abs(np.linalg.norm(quat) - 1) > 1e-3:
        raise _refused("EPISODE_INCOMPLETE", path, f"has a camera mount that is no pose: {mount}")
    return Camera(position, quat, fov_y_deg)


def check_joint_states(path: Path, steps: list[Step], joints: list[cdr.JointState]) -> None:
    """Each step's position must be what the arm reported then: catches a wrong clock, order or unit."""
    if not joints:
        raise _refused("EPISODE_INCOMPLETE", path, f"has no message on {JOINT_TOPIC}")
    order = [joints[0].names.index(name) for name in JOINTS if name in joints[0].names]
    if len(order) != len(JOINTS):
        raise _refused("EPISODE_INCOMPLETE", path, f"has joints {joints[0].names}, not {JOINTS}")
    stamps = np.array([joint.stamp_ns for joint in joints], dtype=np.int64)
    for step in steps:
        nearest = int(np.abs(stamps - step.image_stamp_ns).argmin())
        age_ns = abs(int(stamps[nearest]) - step.image_stamp_ns)
        if age_ns > JOINT_STATE_AGE_MAX_NS:
            raise _refused(
                "EPISODE_INCOMPLETE", path, f"has no joint state within {age_ns / 1e6:.0f} ms of a step"
            )
        off_rad = float(np.abs(joints[nearest].position[order] - step.position_rad).max())
        if off_rad > POSITION_AGREEMENT_RAD:
            raise _refused(
                "EPISODE_INCONSISTENT",
                path,
                f"has a step {off_rad:.3f} rad off the joint state then (limit {POSITION_AGREEMENT_RAD})",
            )


def dataset_sha256(episodes: list[tuple[str, str]]) -> str:
    """One hash for a set of (file name, sha256), whatever the order."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(episodes))
    return hashlib.sha256(lines.encode()).hexdigest()


def _joint_vector(values: list[float]) -> np.ndarray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape != (len(JOINTS),) or not np.isfinite(vector).all():
        raise ValueError(f"{values} is not {len(JOINTS)} finite numbers")
    return vector


def _refused(code: str, path: Path, what: str) -> TrainerError:
    return TrainerError(code, f"{path.name} {what}", "Leave this episode out or record it again")
