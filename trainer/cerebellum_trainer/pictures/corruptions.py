"""Damage to pictures in five strengths, in the four families of ImageNet-C (Hendrycks and Dietterich 2019).

The strengths are our own, for pictures of about 32 px: figures compare models here, not with published ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

STRENGTHS = (1, 2, 3, 4, 5)
Damage = Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]


def gaussian_noise(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    return images + 0.03 * strength * torch.randn(images.shape, generator=generator)


def dead_pixels(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """Salt and pepper."""
    chance = torch.rand((len(images), 1, *images.shape[2:]), generator=generator)
    share = 0.015 * strength
    return torch.where(chance < share, 0.0, torch.where(chance > 1 - share, 1.0, images))


def defocus(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """Gaussian of 0.4 px for each strength."""
    reach = torch.arange(-4, 5, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / (0.4 * strength)) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 9)
    padded = F.pad(images, (4, 4, 4, 4), mode="replicate")
    rows = F.conv2d(padded, kernel[..., None, :], groups=3)
    return F.conv2d(rows, kernel[..., None], groups=3)


def motion(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """Mean along a line of 1 + strength pixels."""
    shifted = [torch.roll(images, step, dims=3) for step in range(1 + strength)]
    return torch.stack(shifted).mean(dim=0)


def fog(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """A soft bright veil."""
    veil = torch.rand((len(images), 1, 4, 4), generator=generator)
    veil = 0.6 + 0.4 * F.interpolate(veil, size=images.shape[2:], mode="bilinear")
    share = 0.14 * strength
    return images * (1 - share) + veil * share


def dark(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    return images * (1 - 0.15 * strength)


def coarse(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """Pixelated to 1 / (1 + strength / 4) of the size."""
    size = images.shape[-1]
    small = F.interpolate(images, size=round(size / (1 + strength / 4)), mode="area")
    return F.interpolate(small, size=size, mode="nearest")


def banded(images: torch.Tensor, strength: int, generator: torch.Generator) -> torch.Tensor:
    """Fewer levels: 8 down to 2 a channel."""
    levels = (8, 6, 4, 3, 2)[strength - 1] - 1
    return (images * levels).round() / levels


CORRUPTIONS: dict[str, dict[str, Damage]] = {
    "noise": {"gaussian": gaussian_noise, "dead pixels": dead_pixels},
    "blur": {"defocus": defocus, "motion": motion},
    "weather": {"fog": fog, "dark": dark},
    "digital": {"coarse": coarse, "banded": banded},
}


def corrupt(images: np.ndarray, damage: Damage, strength: int, seed: int) -> np.ndarray:
    """(n, size, size, 3) uint8 -> the same, damaged. Raises: ValueError if the strength is none of 1 to 5."""
    if strength not in STRENGTHS:
        raise ValueError(f"strength {strength} is none of {STRENGTHS}")
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    worse = damage(planes, strength, torch.Generator().manual_seed(seed)).clamp(0, 1)
    return (worse * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
