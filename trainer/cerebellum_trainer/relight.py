"""Photometric augmentation for a frozen encoder: each frame is also seen in a few other lights, drawn once,
so that their tokens can be cached like the others. Geometry stays: a shifted picture would need another
action.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from cerebellum_trainer.images import Preprocessing


@dataclass(frozen=True)
class Relighting:
    """How many more lights each frame is seen in, and how far they go: one gain times one for each colour.

    hue_deg: colours are turned around the grey axis by up to so many degrees, either way. 180 where a thing
    is known by its shape and place and may have any colour; 0 where its colour tells it from others.
    """

    copies: int = 2
    gain: tuple[float, float] = (0.6, 1.4)
    tint: tuple[float, float] = (0.85, 1.15)
    hue_deg: float = 0.0


def relit(
    images: torch.Tensor, preprocessing: Preprocessing, config: Relighting, generator: torch.Generator
) -> torch.Tensor:
    """(n, 3, size, size) normalised -> the same in light drawn for each image, clipped as a sensor would."""
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    count = len(images)
    gain = torch.empty(count, 1, 1, 1).uniform_(*config.gain, generator=generator)
    tint = torch.empty(count, 3, 1, 1).uniform_(*config.tint, generator=generator)
    seen = images * std + mean
    if config.hue_deg > 0:
        turn_rad = math.radians(config.hue_deg) * (2 * torch.rand(count, generator=generator) - 1)
        seen = torch.einsum("nij,njyx->niyx", hue_turns(turn_rad), seen)
    return ((seen * gain * tint).clamp(0, 1) - mean) / std


def hue_turns(turn_rad: torch.Tensor) -> torch.Tensor:
    """(n,) -> (n, 3, 3) rotations of RGB around its grey axis (Rodrigues' formula): greys stay."""
    axis = torch.full((3,), 3**-0.5)
    cross = torch.linalg.cross(axis.expand(3, 3), torch.eye(3)).T
    sine, cosine = turn_rad.sin().view(-1, 1, 1), turn_rad.cos().view(-1, 1, 1)
    return cosine * torch.eye(3) + sine * cross + (1 - cosine) * torch.outer(axis, axis)
