"""What a coarser precision changes, on recorded frames: the controller's input, and the action."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cerebellum_trainer.controller import Feature, select_feature
from cerebellum_trainer.export import open_session


@dataclass(frozen=True)
class Frames:
    """Recorded frames: images (n, 3, height, width) normalised, state (n, elements), hash of their data set.

    clip: (elements of the action,) how far each may go in a step; of a gripper, from closed to open [m].
    joints: how many of them are joints [rad].
    """

    images: torch.Tensor
    state: torch.Tensor
    sha256: str
    clip: np.ndarray
    joints: int


@dataclass(frozen=True)
class Answers:
    """Of one precision to n frames: feature (n, dimensions), action (n, elements)."""

    feature: np.ndarray
    action: np.ndarray


@dataclass(frozen=True)
class Difference:
    """Of two precisions on the same frames."""

    cosine_mean: float
    cosine_min: float
    error_share: float
    error_max_rad: float
    error_rms_rad: float
    action_rms_rad: float


def answer(encoder_file: Path, controller_file: Path, feature: Feature, frames: Frames) -> Answers:
    """As the daemon does it: encoder, selection, controller, frame by frame."""
    encode, control = open_session(encoder_file), open_session(controller_file)
    features, actions = [], []
    for image, state in zip(frames.images.split(1), frames.state.split(1), strict=True):
        tokens = encode.run(["tokens"], {"image": image.numpy()})[0]
        chosen = np.ascontiguousarray(select_feature(torch.from_numpy(tokens), feature).numpy())
        features.append(chosen.reshape(-1))
        actions.append(control.run(["action"], {"feature": chosen, "state": state.numpy()})[0][0])
    return Answers(np.stack(features), np.stack(actions))


def compare_answers(expected: Answers, found: Answers, frames: Frames) -> Difference:
    """Cosines are of each frame's whole feature; NaN where an answer is not finite, which no gate passes."""
    one, other = expected.feature.astype(np.float64), found.feature.astype(np.float64)
    cosine = (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))
    error = np.abs(found.action - expected.action)
    joints = error[:, : frames.joints]
    return Difference(
        cosine_mean=float(cosine.mean()),
        cosine_min=float(cosine.min()),
        error_share=float((error / frames.clip).max()),
        error_max_rad=float(joints.max()),
        error_rms_rad=rms(joints),
        action_rms_rad=rms(expected.action[:, : frames.joints]),
    )


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))
