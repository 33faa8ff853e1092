"""Pictures of several sets as samples of pre-training: decoded, cropped, resized and masked on workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from cerebellum_trainer.mae.crops import WHOLE, CropRange
from cerebellum_trainer.training.loader import Tensors


class PictureSet(Protocol):
    crop: CropRange

    def __len__(self) -> int: ...

    def picture(self, index: int) -> Image.Image:
        """RGB, not decoded yet where it is a JPEG. Raises: TrainerError IMAGE_UNREADABLE."""
        ...

    def name(self, index: int) -> str: ...


class Rendered:
    """A corpus of pictures that were rendered at the encoder's size."""

    def __init__(self, images: np.ndarray, name: str, crop: CropRange = WHOLE) -> None:
        self.images, self.crop, self._name = images, crop, name

    def __len__(self) -> int:
        return len(self.images)

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self.images[index])

    def name(self, index: int) -> str:
        return f"{self._name}[{index}]"


class Pictures:
    """Samples: (size, size, 3) uint8 RGB, and (patches,) uniform float32 that choose what is masked."""

    def __init__(self, sets: Sequence[PictureSet], size_px: int, patches: int) -> None:
        self._sets = list(sets)
        self._ends = np.cumsum([len(one) for one in self._sets])
        self._size_px, self.patches = size_px, patches

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._sets else 0

    def sample(self, index: int, generator: np.random.Generator) -> Tensors:
        """Raises: TrainerError IMAGE_UNREADABLE."""
        owner, place = self._place(index)
        pixels = resized(owner.picture(place), owner.crop, self._size_px, generator)
        noise = generator.random(self.patches, np.float32)
        return torch.from_numpy(pixels), torch.from_numpy(noise)

    def name(self, index: int) -> str:
        owner, place = self._place(index)
        return owner.name(place)

    def some(self, count: int) -> np.ndarray:
        """(count or fewer, size, size, 3): pictures from all over the sets, their middle."""
        chosen = range(0, len(self), max(1, len(self) // count))[:count]
        generator = np.random.default_rng(0)
        middle = CropRange(1, 1, 1, flip=False)
        found = []
        for index in chosen:
            owner, place = self._place(index)
            found.append(resized(owner.picture(place), middle, self._size_px, generator))
        return np.stack(found)

    def _place(self, index: int) -> tuple[PictureSet, int]:
        owner = int(np.searchsorted(self._ends, index, side="right"))
        return self._sets[owner], index - int(self._ends[owner]) + len(self._sets[owner])


def resized(image: Image.Image, crop: CropRange, size_px: int, generator: np.random.Generator) -> np.ndarray:
    """(size, size, 3) uint8 of a random part, with the kernel that the daemon resizes with (antialiased)."""
    width, height = image.size
    left, top, right, lower = crop.box(width, height, generator)
    flip = crop.flip and generator.random() < 0.5
    # A JPEG can be decoded at a half or a quarter: as far as it stays larger than what is asked for.
    share = size_px / min(right - left, lower - top)
    if share <= 0.5:
        image.draft("RGB", (int(width * share), int(height * share)))
    across, down = image.size[0] / width, image.size[1] / height
    box = (left * across, top * down, min(right * across, image.size[0]), min(lower * down, image.size[1]))
    if image.size != (size_px, size_px) or box != (0, 0, size_px, size_px):
        image = image.resize((size_px, size_px), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(image.convert("RGB"))
    return np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels.copy()
