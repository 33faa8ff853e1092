"""Pictures as what a training loop streams: bytes out, then planes in 0..1 on the device that computes."""

from __future__ import annotations

import numpy as np
import torch

from cerebellum_trainer.images import IMAGENET_MEAN, IMAGENET_STD


class PictureSamples:
    """(n, size, size, 3) uint8 RGB, each with its label where there are labels."""

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, generator: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """The picture's bytes, and its label if it has one. Whole batches are augmented, later."""
        picture = torch.from_numpy(self.images[index])
        return (picture,) if self.labels is None else (picture, torch.tensor(self.labels[index]))

    def name(self, index: int) -> str:
        return f"picture {index}"


def planes_of(images: torch.Tensor) -> torch.Tensor:
    """(b, size, size, 3) uint8 -> (b, 3, size, size) in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255


def standardised(
    planes: torch.Tensor,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
) -> torch.Tensor:
    """(b, 3, size, size) RGB in 0..1 -> less the mean, over the deviation."""
    return (planes - planes.new_tensor(mean)[:, None, None]) / planes.new_tensor(std)[:, None, None]
