"""All episodes as arrays: encoder inputs, joint positions, actions. Golden frames keep their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from cerebellum_trainer.episodes import Camera, Episode, dataset_sha256
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, decode_image, preprocess

Labels = Literal["command", "executed"]


@dataclass(frozen=True)
class Dataset:
    """n frames of e episodes.

    images: (n, 3, size, size) float32, normalised.
    state: (n, 7) float32 [rad]; action: (n, 7) float32 [rad a step].
    episode: (n,) index of the frame's episode.
    hold: (n,) bool, the frame belongs to the still end of its episode.
    """

    images: torch.Tensor
    state: torch.Tensor
    action: torch.Tensor
    episode: torch.Tensor
    hold: torch.Tensor
    golden_frames: list[tuple[int, np.ndarray]]
    start_rad: np.ndarray
    camera: Camera
    sha256: str

    @property
    def episodes(self) -> int:
        return int(self.episode.max()) + 1


def load_dataset(
    episodes: Iterable[Episode], preprocessing: Preprocessing, labels: Labels = "command", goldens: int = 3
) -> Dataset:
    """Decodes and preprocesses every frame once.

    `labels`: "command" clones the expert's clean delta, "executed" the delta that was really sent.
    Goldens are the middle frames of the first `goldens` episodes, as (frame index, (height, width, 3) uint8).
    Raises: TrainerError EPISODES_MISSING if there are none, CAMERA_CHANGED if they disagree about the camera.
    """
    images, state, action, index, hold, starts = [], [], [], [], [], []
    golden_frames: list[tuple[int, np.ndarray]] = []
    files: list[tuple[str, str]] = []
    camera: Camera | None = None
    for number, episode in enumerate(episodes):
        if camera is not None and episode.camera != camera:
            raise TrainerError(
                "CAMERA_CHANGED",
                f"{episode.path.name} was recorded with another camera mount than {files[0][0]}",
                "Train on recordings of one camera mount",
            )
        camera = episode.camera
        files.append((episode.path.name, episode.sha256))
        starts.append(episode.steps[0].position_rad)
        for place, step in enumerate(episode.steps):
            image = decode_image(step.image, preprocessing)
            if number < goldens and place == len(episode.steps) // 2:
                golden_frames.append((len(images), image))
            images.append(preprocess(image, preprocessing))
            state.append(step.position_rad)
            action.append(step.action_rad if labels == "command" else step.executed_rad)
            index.append(number)
            hold.append(step.phase == "hold")
    if camera is None:
        raise TrainerError(
            "EPISODES_MISSING", "No successful episode of this task was found", "Record demonstrations first"
        )
    return Dataset(
        images=torch.stack(images),
        state=torch.tensor(np.array(state), dtype=torch.float32),
        action=torch.tensor(np.array(action), dtype=torch.float32),
        episode=torch.tensor(index),
        hold=torch.tensor(hold),
        golden_frames=golden_frames,
        start_rad=np.median(np.array(starts), axis=0),
        camera=camera,
        sha256=dataset_sha256(files),
    )
