"""Augmentation for a frozen encoder: each frame is also seen in a few other lights, drawn once, so that their
tokens can be cached like the others. Geometry stays, for a shifted picture would need another action: the
sideways shift, off here as in MVP's released recipe, is there to be compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from cerebellum_trainer.images import Preprocessing

# Rec. 601, as PIL makes greys.
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Relighting:
    """How many more lights each frame is seen in, and how far they go: one gain times one for each colour."""

    copies: int = 2
    """So many more lights is each frame seen in."""
    gain: tuple[float, float] = (0.6, 1.4)
    """From, to: factor on all of a picture."""
    tint: tuple[float, float] = (0.85, 1.15)
    """From, to: factor on each colour of its own."""
    hue_deg: float = 0.0
    """Colours are turned around the grey axis by up to so much, either way [deg]. 180 where a thing is known
    by its shape and place and may have any colour; 0 where its colour tells it from others."""
    grey_share: float = 0.0
    """So many of them without colour, as a share."""
    blur_px: float = 0.0
    """Blurred by a normal of up to this deviation [px of the encoder's picture]."""
    shift_px: int = 0
    """Moved sideways by up to so much [px of the encoder's picture]; the edge is repeated for the rest."""


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
    seen = (seen * gain * tint).clamp(0, 1)
    if config.grey_share > 0:
        is_grey = torch.rand(count, 1, 1, 1, generator=generator) < config.grey_share
        seen = torch.where(is_grey, (seen * LUMA).sum(1, keepdim=True).expand_as(seen), seen)
    if config.blur_px > 0:
        deviations = config.blur_px * torch.rand(count, generator=generator)
        seen = torch.cat(
            [blurred(one, float(spread)) for one, spread in zip(seen.split(1), deviations, strict=True)]
        )
    if config.shift_px > 0:
        shifts = torch.randint(-config.shift_px, config.shift_px + 1, (count,), generator=generator)
        seen = torch.stack([shifted(one, int(shift)) for one, shift in zip(seen, shifts, strict=True)])
    return (seen - mean) / std


def blurred(image: torch.Tensor, deviation_px: float) -> torch.Tensor:
    """(1, 3, h, w) -> the same through a separable normal, cut at three deviations; edges repeat."""
    reach = math.ceil(3 * deviation_px)
    if reach == 0:
        return image
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * deviation_px**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).expand(3, 1, 1, -1)
    wide = F.conv2d(F.pad(image, (reach, reach, 0, 0), mode="replicate"), kernel, groups=3)
    return F.conv2d(F.pad(wide, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=3)


def shifted(image: torch.Tensor, shift_px: int) -> torch.Tensor:
    """(3, h, w) -> the same with its columns moved right by `shift_px`."""
    width = image.shape[-1]
    return image[..., (torch.arange(width) - shift_px).clamp(0, width - 1)]


def hue_turns(turn_rad: torch.Tensor) -> torch.Tensor:
    """(n,) -> (n, 3, 3) rotations of RGB around its grey axis (Rodrigues' formula): greys stay."""
    axis = torch.full((3,), 3**-0.5)
    cross = torch.linalg.cross(axis.expand(3, 3), torch.eye(3)).T
    sine, cosine = turn_rad.sin().view(-1, 1, 1), turn_rad.cos().view(-1, 1, 1)
    return cosine * torch.eye(3) + sine * cross + (1 - cosine) * torch.outer(axis, axis)
