"""All episodes as arrays: encoder inputs, joint positions, actions. Golden frames keep their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from cerebellum_trainer.devices import Body
from cerebellum_trainer.episodes import Episode, select_from
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, preprocess
from cerebellum_trainer.provenance import Recording
from cerebellum_trainer.records import Camera
from cerebellum_trainer.samples import Reading, Sample, Stillness, read_samples, samples_sha256

# Fewer show neither a way nor its end: a second of a policy at 5 Hz.
SAMPLES_MIN = 5


@dataclass(frozen=True)
class Dataset:
    """n frames of e episodes.

    images: (n, 3, size, size) float32, normalised.
    state: (n, joints) float32 [rad]; action: (n, joints) float32 [rad a step]. Where the gripper is learnt
    each has one more column: the opening that was known, and the one to ask for [m].
    episode: (n,) index of the frame's episode.
    hold: (n,) bool, the frame belongs to the still end of its episode.
    still: (n,) bool, its action leads no joint on.
    gripper: (n,) float32 opening that was asked for [m]; NaN where none was.
    """

    images: torch.Tensor
    state: torch.Tensor
    action: torch.Tensor
    episode: torch.Tensor
    hold: torch.Tensor
    still: torch.Tensor
    gripper: torch.Tensor
    golden_frames: list[tuple[int, np.ndarray]]
    body: Body
    has_gripper: bool
    # Whether it is learnt.
    moves_gripper: bool
    # Where the robot was told to be when an episode began: the same setpoint leads it there again.
    start_rad: np.ndarray
    camera: Camera
    preprocessing: Preprocessing
    sha256: str
    recordings: tuple[Recording, ...]

    @property
    def episodes(self) -> int:
        return int(self.episode.max()) + 1


def load_dataset(
    episodes: Iterable[tuple[Episode, list[Sample]]],
    reading: Reading,
    preprocessing: Preprocessing,
    goldens: int = 3,
) -> Dataset:
    """Decodes and preprocesses every frame once, as the encoder wants them and the camera gives them.

    Goldens are the middle frames of the first `goldens` episodes, as (frame index, (height, width, 3) uint8).
    Raises: TrainerError EPISODES_MISSING if there are none, EPISODE_SHORT for one of hardly any frames,
        CAMERA_CHANGED or ROBOTS_CHANGED if they disagree about the camera or about what moves, and what is
        wrong with an image, naming the file.
    """
    images: list[torch.Tensor] = []
    state, action, index, hold, still, gripper, starts = [], [], [], [], [], [], []
    golden_frames: list[tuple[int, np.ndarray]] = []
    files: list[tuple[str, str]] = []
    first = ""
    recordings: list[Recording] = []
    camera: Camera | None = None
    body: Body | None = None
    has_gripper = False
    for number, (episode, samples) in enumerate(episodes):
        pose, devices = episode.camera(reading.camera).pose, episode.body(reading.robots_of(episode))
        if body is not None and devices != body:
            raise TrainerError(
                "ROBOTS_CHANGED",
                f"{episode.name} moves {devices.name}, {first} {body.name}",
                "Train on recordings of one kind of robot",
            )
        body = devices
        if camera is not None and pose != camera:
            raise camera_changed(episode.name, pose, first, camera)
        if len(samples) < SAMPLES_MIN:
            raise TrainerError(
                "EPISODE_SHORT",
                f"{episode.name} has {len(samples)} frames to learn from (at least {SAMPLES_MIN} are needed)",
                "Leave this episode out, or give back what a trim has taken away",
            )
        if camera is None:
            first = episode.name
            preprocessing = preprocessing.seen_by(pose.width_px, pose.height_px, reading.crop)
        camera = pose
        recording = episode.recording()
        recordings.append(recording)
        files.append((recording.name, samples_sha256(recording.sha256, samples, reading.gripper)))
        starts.append(samples[0].told_rad)
        has_gripper |= samples[0].has_gripper
        for place, sample in enumerate(samples):
            with naming(episode, sample):
                image = sample.image.pixels(preprocessing)
            if number < goldens and place == len(samples) // 2:
                golden_frames.append((len(images), image))
            images.append(preprocess(image, preprocessing))
            fingers = reading.gripper
            state.append([*sample.position_rad, sample.opening_m] if fingers else sample.position_rad)
            action.append([*sample.action_rad, sample.gripper_m] if fingers else sample.action_rad)
            index.append(number)
            hold.append(sample.hold)
            still.append(sample.still)
            gripper.append(sample.gripper_m)
    if camera is None or body is None:
        raise TrainerError(
            "EPISODES_MISSING",
            "No episode is left to train on",
            "Record demonstrations, or label those that succeeded",
        )
    return Dataset(
        images=torch.stack(images),
        state=torch.tensor(np.array(state), dtype=torch.float32),
        action=torch.tensor(np.array(action), dtype=torch.float32),
        episode=torch.tensor(index),
        hold=torch.tensor(hold),
        still=torch.tensor(still),
        gripper=torch.tensor(gripper, dtype=torch.float32),
        golden_frames=golden_frames,
        body=body,
        has_gripper=has_gripper,
        moves_gripper=reading.gripper,
        start_rad=np.median(np.array(starts), axis=0),
        camera=camera,
        preprocessing=preprocessing,
        sha256=dataset_sha256(files),
        recordings=tuple(recordings),
    )


def camera_changed(name: str, camera: Camera, first: str, expected: Camera) -> TrainerError:
    """Says which of its properties differ."""
    differences = [
        f"{field.name} {getattr(camera, field.name)} where {first} has {getattr(expected, field.name)}"
        for field in fields(Camera)
        if getattr(camera, field.name) != getattr(expected, field.name)
    ]
    return TrainerError(
        "CAMERA_CHANGED",
        f"{name} was recorded with another camera or mount: {'; '.join(differences)}",
        "Train on recordings of one camera and one mount",
    )


@contextmanager
def naming(episode: Episode, sample: Sample) -> Iterator[None]:
    """An image that cannot be used is said with its episode and its stamp."""
    try:
        yield
    except TrainerError as error:
        happened = f"{episode.name} at {sample.image_stamp_ns} ns: {error.happened}"
        raise TrainerError(error.code, happened, error.remedy) from error


def read_dataset(
    folders: Sequence[Path],
    task: str,
    reading: Reading,
    preprocessing: Preprocessing,
    rate_hz: float,
    stillness: Stillness,
) -> Dataset:
    """The whole way from the folders of sets, which are read as one. Raises: as `load_dataset`."""
    episodes = told_episodes(folders, task, reading)
    read = ((episode, read_samples(episode, reading, rate_hz, stillness)) for episode in episodes)
    return load_dataset(read, reading, preprocessing)


def told_episodes(folders: Sequence[Path], task: str, reading: Reading) -> list[Episode]:
    """Those to train on; for people, what is left out is printed."""
    selection = select_from(folders, task, reading.include_flagged)
    for remark in selection.remarks:
        print(f"left out: {remark}", flush=True)
    return selection.episodes


def dataset_sha256(episodes: list[tuple[str, str]]) -> str:
    """One hash for a set of (name, sha256), whatever the order."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(episodes))
    return hashlib.sha256(lines.encode()).hexdigest()
