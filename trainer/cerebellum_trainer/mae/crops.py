"""Which part of a picture one sample is: a random rectangle within the range that its data set asks for.

Near views of hands and objects bear small parts; of a robot's table from a fixed camera little is left on a
small one. So the range belongs to the data set (frames.json), not to the recipe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.errors import TrainerError

Box = tuple[float, float, float, float]
TRIES = 10


@dataclass(frozen=True)
class CropRange:
    """Which part of a picture a sample is, before it is made a square."""

    area_min: float = 0.2
    """Least share of the picture's area."""
    area_max: float = 1.0
    """Largest share of the picture's area."""
    aspect_max: float = 4 / 3
    """Width to height at most, and the other way round."""
    flip: bool = True
    """Half of the samples are mirrored left to right."""

    def check(self) -> CropRange:
        """Raises: TrainerError CROP_INVALID."""
        if not 0 < self.area_min <= self.area_max <= 1 or not self.aspect_max >= 1:
            raise TrainerError(
                "CROP_INVALID",
                f"{self} is no range of crops",
                "Shares of the area are within 0 and 1, the smaller one first; the aspect is 1 or more",
            )
        return self

    def box(self, width: int, height: int, generator: np.random.Generator) -> Box:
        """Left, top, right, lower edge [px]. The central square, cut to the aspect, where nothing else fits.

        Source of the distribution: Szegedy et al. 2015, as MAE uses it: area uniform, aspect log-uniform.
        """
        if self.area_min == 1 and width == height:
            return 0, 0, width, height
        spread = math.log(self.aspect_max)
        for _ in range(TRIES):
            area = width * height * generator.uniform(self.area_min, self.area_max)
            aspect = math.exp(generator.uniform(-spread, spread))
            w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
            if w <= width and h <= height:
                x, y = generator.uniform(0, width - w), generator.uniform(0, height - h)
                return x, y, x + w, y + h
        w = min(width, height * self.aspect_max)
        h = min(height, width * self.aspect_max)
        x, y = (width - w) / 2, (height - h) / 2
        return x, y, x + w, y + h


WHOLE = CropRange(1, 1, 1, flip=False)
"""Pictures as they are: those that were rendered as a camera's crop sees them."""
