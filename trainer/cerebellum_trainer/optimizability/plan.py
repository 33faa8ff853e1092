"""Which runs the comparison is made of. Both stems get the same settings, so runs come in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cerebellum_trainer.pictures.classify import Optimiser
from cerebellum_trainer.vit import VitConfig

Stem = Literal["ViT_P", "ViT_C"]
STEMS: tuple[Stem, ...] = ("ViT_P", "ViT_C")
OPTIMISERS: tuple[Optimiser, ...] = ("adamw", "sgd")


@dataclass(frozen=True)
class Interval:
    """From which a run's setting is drawn, evenly in its logarithm."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """`share` of the way, 0 to 1."""
        return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))


@dataclass(frozen=True)
class Intervals:
    """Fixed before any run, as wide for either stem."""

    learning_rate: Interval
    weight_decay: Interval


INTERVALS: dict[Optimiser, Intervals] = {
    "adamw": Intervals(Interval(2.5e-4, 1.6e-2), Interval(1e-2, 1.0)),
    "sgd": Intervals(Interval(1e-2, 6.4e-1), Interval(1e-5, 1e-2)),
}


@dataclass(frozen=True)
class SizesConfig:
    """Of both models. The convolutional stem costs about a block, so ViT_C has one less."""

    image_px: int = 32
    """Side of a picture [px]."""
    patch_px: int = 8
    """Side of a patch [px]."""
    width: int = 64
    """Numbers of a token."""
    heads: int = 4
    """Of attention."""
    depth: int = 4
    """Blocks of ViT_P."""
    stem: tuple[int, ...] = (16, 32, 64)
    """Output channels of the stem's 3x3 convolutions; each that adds channels halves the size."""

    def vit(self, stem: Stem) -> VitConfig:
        sizes: dict[str, Any] = {
            "heads": self.heads,
            "image_px": self.image_px,
            "patch_px": self.patch_px,
            "width": self.width,
        }
        if stem == "ViT_P":
            return VitConfig(**sizes, depth=self.depth)
        return VitConfig(**sizes, depth=self.depth - 1, stem=self.stem)


@dataclass(frozen=True)
class PlanConfig:
    sizes: SizesConfig = field(default_factory=SizesConfig)
    factor: Literal["shape", "colour", "texture"] = "shape"
    """What is to be told of a picture."""
    pictures: int = 4000
    """To train on."""
    asked: int = 2000
    """Held out: the error is measured on them once, at the end of a run."""
    epochs: float = 4.0
    """Of the runs with random settings, and the shortest of the training lengths."""
    lengths: tuple[int, ...] = (1, 2, 4, 8)
    """Multiples of `epochs`, as 50, 100, 200 and 400 in the publication."""
    samples: int = 16
    """Pairs of learning rate and weight decay for each optimiser; 64 in the publication."""
    seeds: int = 3
    """Of the runs whose best error is reported."""
    batch: int = 128
    """Pictures of a step."""
    seed: int = 0
    """Of pictures, settings and weights."""

    def __post_init__(self) -> None:
        if self.samples < 2 or self.lengths != tuple(sorted({*self.lengths})) or self.lengths[:1] != (1,):
            raise ValueError(f"{self}: at least 2 samples, and lengths that rise from 1")


@dataclass(frozen=True)
class Trial:
    """One run: it is named by all that it depends on beside the plan's sizes."""

    stem: Stem
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    epochs: float
    seed: int

    def name(self) -> str:
        return (
            f"{self.stem} {self.optimiser} lr {self.learning_rate:.3e} wd {self.weight_decay:.3e} "
            f"epochs {self.epochs:g} seed {self.seed}"
        )


def random_trials(plan: PlanConfig) -> Iterator[Trial]:
    """The same settings for both stems; a run more changes none before it."""
    for sample in range(plan.samples):
        for place, optimiser in enumerate(OPTIMISERS):
            intervals = INTERVALS[optimiser]
            shares = np.random.default_rng([plan.seed, place, sample]).random(2)
            rate = intervals.learning_rate.at(float(shares[0]))
            decay = intervals.weight_decay.at(float(shares[1]))
            for stem in STEMS:
                yield Trial(stem, optimiser, rate, decay, plan.epochs, plan.seed)


def length_trials(plan: PlanConfig, best: dict[tuple[Stem, Optimiser], Trial]) -> Iterator[Trial]:
    """Each stem and optimiser at its own best setting of the shortest length, for all lengths."""
    for (stem, optimiser), found in best.items():
        for length in plan.lengths:
            epochs = plan.epochs * length
            yield Trial(stem, optimiser, found.learning_rate, found.weight_decay, epochs, found.seed)


def peak_trials(plan: PlanConfig, best: dict[tuple[Stem, Optimiser], Trial]) -> Iterator[Trial]:
    """The longest run again from other seeds, with AdamW."""
    for stem in STEMS:
        found = best[stem, "adamw"]
        for seed in range(plan.seed, plan.seed + plan.seeds):
            epochs = plan.epochs * plan.lengths[-1]
            yield Trial(stem, "adamw", found.learning_rate, found.weight_decay, epochs, seed)
