"""Draws the set: one object before a shaded ground, lit from above, in a picture that may be turned.

Four factors are labelled and independent: shape, colour, texture, and by how many quarter turns the whole
picture is turned. Place, size, tilt, hue within its class, ground and grain vary without a label. Picture i
of a seed is the same however many are drawn.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.pictures.shapes import SHAPES
from cerebellum_trainer.pictures.textures import TEXTURES

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "pink")
# Degrees on the colour wheel [deg]; a picture's hue lies within HUE_SPREAD_DEG of its class.
HUES_DEG = (0.0, 30.0, 58.0, 120.0, 180.0, 225.0, 270.0, 320.0)
HUE_SPREAD_DEG = 9.0
FACTORS = {"shape": len(SHAPES), "colour": len(COLOURS), "texture": len(TEXTURES), "turn": 4}
# Pictures are drawn at twice their size and averaged: edges fall between pixels, as a camera's do.
SUPERSAMPLING = 2
CHUNK = 256
GROUND_CELLS = 5


@dataclass(frozen=True)
class PicturesConfig:
    """What varies without a label."""

    size_px: int = 32
    turned: bool = False
    """Whole pictures in all four quarter turns; upright ones only when False, as photographs are."""
    strange: bool = False
    """Any tilt, far smaller or larger, on a loud ground: for a test set that was collected elsewhere."""


@dataclass(frozen=True)
class PictureSet:
    """`images` (n, size, size, 3) uint8 RGB; `labels` of each factor (n,) int64."""

    images: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)


def draw_pictures(count: int, seed: int, config: PicturesConfig | None = None) -> PictureSet:
    """Raises: ValueError if the count or the size is not positive."""
    config = config or PicturesConfig()
    if count < 1 or config.size_px < 8:
        raise ValueError(f"{count} pictures of {config.size_px} px cannot be drawn")
    images = np.empty((count, config.size_px, config.size_px, 3), np.uint8)
    labels = {factor: np.empty(count, np.int64) for factor in FACTORS}
    for first in range(0, count, CHUNK):
        chosen = slice(first, min(first + CHUNK, count))
        chances = [np.random.default_rng([seed, index]) for index in range(chosen.start, chosen.stop)]
        drawn = {
            factor: np.array([int(c.integers(classes)) for c in chances])
            for factor, classes in FACTORS.items()
        }
        if not config.turned:
            drawn["turn"][:] = 0
        for factor, values in drawn.items():
            labels[factor][chosen] = values
        images[chosen] = draw_chunk(chances, drawn, config)
    return PictureSet(images, labels)


def draw_chunk(
    chances: list[np.random.Generator], drawn: dict[str, np.ndarray], config: PicturesConfig
) -> np.ndarray:
    """(n, size, size, 3) uint8 of pictures with these labels, each from its own generator."""
    side = config.size_px * SUPERSAMPLING
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    # The widest object stays inside of the picture.
    scale = uniform(chances, 0.3, 0.95) if config.strange else uniform(chances, 0.55, 0.85)
    reach = 0.95 - scale * 0.85
    centre_x, centre_y = uniform(chances, -1, 1) * reach, uniform(chances, -1, 1) * reach
    tilt = uniform(chances, -np.pi, np.pi) if config.strange else uniform(chances, -0.25, 0.25)
    x, y = turned((axis - centre_x) / scale, (-axis[:, None] - centre_y) / scale, tilt)
    inside = per_class(drawn["shape"], list(SHAPES.values()), x, y) > 0
    angle, period = uniform(chances, 0, np.pi), uniform(chances, 0.42, 0.6)
    u, v = turned(x, y, angle)
    wave = 2 * np.pi / period
    pattern = per_class(drawn["texture"], list(TEXTURES.values()), u * wave, v * wave)
    paint = object_colours(chances, drawn["colour"])[:, None, None]
    depth = uniform(chances, 0.3, 0.5)[..., None]
    planes = np.where(
        inside[..., None], paint * (1 + depth * pattern[..., None]), ground(chances, axis, config.strange)
    )
    light = 1 + uniform(chances, 0.1, 0.3) * -axis[:, None]
    planes = planes * light[..., None]
    small = planes.reshape(len(chances), config.size_px, SUPERSAMPLING, config.size_px, SUPERSAMPLING, 3)
    grain = np.stack([c.standard_normal((config.size_px, config.size_px, 3), np.float32) for c in chances])
    pixels = (small.mean(axis=(2, 4)) + 0.02 * grain).clip(0, 1)
    images = np.round(pixels * 255).astype(np.uint8)
    for turn in range(1, 4):
        chosen = drawn["turn"] == turn
        images[chosen] = np.rot90(images[chosen], turn, axes=(1, 2))
    return images


def uniform(chances: list[np.random.Generator], low: float, high: float) -> np.ndarray:
    """(n, 1, 1) float32, a number of every picture's own generator."""
    return np.array([c.uniform(low, high) for c in chances], np.float32)[:, None, None]


def turned(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in a frame that is turned by `angle` [rad], counter-clockwise with y up."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def per_class(labels: np.ndarray, functions: list, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Each picture by the function of its class."""
    values = np.empty(np.broadcast_shapes(first.shape, second.shape), np.float32)
    for label, function in enumerate(functions):
        chosen = labels == label
        if chosen.any():
            values[chosen] = function(first[chosen], second[chosen])
    return values


def object_colours(chances: list[np.random.Generator], labels: np.ndarray) -> np.ndarray:
    """(n, 3) RGB in 0..1."""
    rows = []
    for chance, label in zip(chances, labels, strict=True):
        hue = HUES_DEG[label] + chance.uniform(-HUE_SPREAD_DEG, HUE_SPREAD_DEG)
        rows.append(colorsys.hsv_to_rgb(hue / 360 % 1, chance.uniform(0.6, 1), chance.uniform(0.55, 0.85)))
    return np.array(rows, np.float32)


def ground(chances: list[np.random.Generator], axis: np.ndarray, loud: bool) -> np.ndarray:
    """(n, side, side, 3): a dull colour with soft blotches; `loud`: strong colours and hard patches."""
    cells = np.linspace(0, GROUND_CELLS - 1, len(axis), dtype=np.float32)
    low = np.minimum(cells.astype(int), GROUND_CELLS - 2)
    share = (cells - low)[None, :, None]
    if loud:
        share = np.round(share)
    rows = []
    for chance in chances:
        saturation = chance.uniform(0.2, 0.8) if loud else chance.uniform(0, 0.35)
        base = colorsys.hsv_to_rgb(chance.uniform(), saturation, chance.uniform(0.25, 0.85))
        spread = 0.25 if loud else 0.1
        grid = chance.uniform(-spread, spread, (GROUND_CELLS, GROUND_CELLS, 1)).astype(np.float32)
        across = grid[:, low] * (1 - share) + grid[:, low + 1] * share
        down = share.reshape(-1, 1, 1)
        rows.append(np.array(base, np.float32) + across[low] * (1 - down) + across[low + 1] * down)
    return np.stack(rows)
