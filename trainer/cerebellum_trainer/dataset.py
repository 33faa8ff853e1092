"""All episodes as arrays: encoder inputs, joint positions, actions. Golden frames keep their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cerebellum_trainer.episodes import Episode, select_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, preprocess
from cerebellum_trainer.records import Camera
from cerebellum_trainer.samples import Reading, Sample, read_samples, samples_sha256


@dataclass(frozen=True)
class Dataset:
    """n frames of e episodes.

    images: (n, 3, size, size) float32, normalised.
    state: (n, 7) float32 [rad]; action: (n, 7) float32 [rad a step].
    episode: (n,) index of the frame's episode.
    hold: (n,) bool, the frame belongs to the still end of its episode.
    gripper: (n,) float32 opening that was asked for [m]; NaN where none was. Not learnt by this policy kind.
    """

    images: torch.Tensor
    state: torch.Tensor
    action: torch.Tensor
    episode: torch.Tensor
    hold: torch.Tensor
    gripper: torch.Tensor
    golden_frames: list[tuple[int, np.ndarray]]
    start_rad: np.ndarray
    camera: Camera
    sha256: str

    @property
    def episodes(self) -> int:
        return int(self.episode.max()) + 1


def load_dataset(
    episodes: Iterable[tuple[Episode, list[Sample]]],
    camera_name: str,
    preprocessing: Preprocessing,
    goldens: int = 3,
) -> Dataset:
    """Decodes and preprocesses every frame once.

    Goldens are the middle frames of the first `goldens` episodes, as (frame index, (height, width, 3) uint8).
    Raises: TrainerError EPISODES_MISSING if there are none, CAMERA_CHANGED if they disagree about the camera.
    """
    images, state, action, index, hold, gripper, starts = [], [], [], [], [], [], []
    golden_frames: list[tuple[int, np.ndarray]] = []
    files: list[tuple[str, str]] = []
    camera: Camera | None = None
    for number, (episode, samples) in enumerate(episodes):
        pose = episode.camera(camera_name).pose
        if camera is not None and pose != camera:
            raise TrainerError(
                "CAMERA_CHANGED",
                f"{episode.name} was recorded with another camera mount than {files[0][0]}",
                "Train on recordings of one camera mount",
            )
        camera = pose
        files.append((episode.name, samples_sha256(episode.sha256(), samples)))
        starts.append(samples[0].position_rad)
        for place, sample in enumerate(samples):
            image = sample.image.pixels(preprocessing)
            if number < goldens and place == len(samples) // 2:
                golden_frames.append((len(images), image))
            images.append(preprocess(image, preprocessing))
            state.append(sample.position_rad)
            action.append(sample.action_rad)
            index.append(number)
            hold.append(sample.hold)
            gripper.append(sample.gripper_m)
    if camera is None:
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
        gripper=torch.tensor(gripper, dtype=torch.float32),
        golden_frames=golden_frames,
        start_rad=np.median(np.array(starts), axis=0),
        camera=camera,
        sha256=dataset_sha256(files),
    )


def read_dataset(
    folder: Path, task: str, reading: Reading, preprocessing: Preprocessing, rate_hz: float, still_rad: float
) -> Dataset:
    """The whole way from a set's folder, telling on the way what is left out."""
    selection = select_episodes(folder, task, reading.include_flagged)
    for remark in selection.remarks:
        print(f"left out: {remark}", flush=True)
    read = ((episode, read_samples(episode, reading, rate_hz, still_rad)) for episode in selection.episodes)
    return load_dataset(read, reading.camera, preprocessing)


def dataset_sha256(episodes: list[tuple[str, str]]) -> str:
    """One hash for a set of (name, sha256), whatever the order."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(episodes))
    return hashlib.sha256(lines.encode()).hexdigest()
