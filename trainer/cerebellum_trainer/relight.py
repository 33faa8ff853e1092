"""Photometric augmentation for a frozen encoder: each frame is also seen in a few other lights, drawn once,
so that their tokens can be cached like the others. Geometry stays: a shifted picture would need another
action.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cerebellum_trainer.images import Preprocessing


@dataclass(frozen=True)
class Relighting:
    """How many more lights each frame is seen in, and how far they go: one gain times one for each colour."""

    copies: int = 2
    gain: tuple[float, float] = (0.6, 1.4)
    tint: tuple[float, float] = (0.85, 1.15)


def relit(
    images: torch.Tensor, preprocessing: Preprocessing, config: Relighting, generator: torch.Generator
) -> torch.Tensor:
    """(n, 3, size, size) normalised -> the same in light drawn for each image, clipped as a sensor would."""
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    count = len(images)
    gain = torch.empty(count, 1, 1, 1).uniform_(*config.gain, generator=generator)
    tint = torch.empty(count, 3, 1, 1).uniform_(*config.tint, generator=generator)
    return (((images * std + mean) * gain * tint).clamp(0, 1) - mean) / std
