"""What a frozen representation of drawn pictures is asked: the probes of LooC's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.contrast.probes import Probe, few_shot
from cerebellum_trainer.pictures.corruptions import CORRUPTIONS, corrupt
from cerebellum_trainer.pictures.draw import FACTORS, PicturesConfig, PictureSet, draw_pictures

Represent = Callable[[np.ndarray], np.ndarray]
# The best of this many classes, where one that is nearly right counts too.
BEST = 3
DRAWS = 3


@dataclass(frozen=True)
class SetsConfig:
    """How many pictures of each kind. No picture is in two sets."""

    size_px: int = 24
    """Side of a picture [px]."""
    seen: int = 4000
    """For pre-training, without labels; upright, as photographs are."""
    known: int = 2000
    """With labels, for the probes."""
    asked: int = 2000
    """That the probes are asked about."""
    corrupted: int = 200
    """Of those asked, in each corruption and strength."""
    strengths: tuple[int, ...] = (1, 3, 5)
    """Of each corruption, 1 to 5."""
    seed: int = 0
    """Of all pictures."""


@dataclass(frozen=True)
class Sets:
    config: SetsConfig
    seen: PictureSet
    known: PictureSet
    asked: PictureSet
    strange: PictureSet
    """As no training set shows objects: any tilt and size, a loud ground."""

    @staticmethod
    def draw(config: SetsConfig) -> Sets:
        upright = PicturesConfig(config.size_px)
        strange = PicturesConfig(config.size_px, strange=True)
        # Seeds of their own, so that one set's length changes no other.
        first = 10 * config.seed
        return Sets(
            config,
            draw_pictures(config.seen, first, upright),
            draw_pictures(config.known, first + 1, upright),
            draw_pictures(config.asked, first + 2, upright),
            draw_pictures(config.asked, first + 3, strange),
        )


def joined(labels: Mapping[str, np.ndarray], factors: tuple[str, ...]) -> np.ndarray:
    """One class for each combination of these factors."""
    total = np.zeros_like(labels[factors[0]])
    for factor in factors:
        total = total * FACTORS[factor] + labels[factor]
    return total


def quarter_turned(pictures: PictureSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each picture in one of four turns by chance, and which."""
    turns = np.random.default_rng(seed).integers(4, size=len(pictures))
    images = pictures.images.copy()
    for turn in (1, 2, 3):
        images[turns == turn] = np.rot90(images[turns == turn], turn, axes=(1, 2))
    return images, turns.astype(np.int64)


def measure(represent: Represent, sets: Sets, with_damage: bool = True) -> dict[str, float]:
    """Shares of right answers; names are those of the tables."""
    known, asked = represent(sets.known.images), represent(sets.asked.images)
    strange = represent(sets.strange.images)
    results: dict[str, float] = {}
    probe = Probe(known, sets.known.labels["shape"], FACTORS["shape"])
    results["shape"] = probe.right(asked, sets.asked.labels["shape"])
    results[f"shape, best {BEST}"] = probe.right(asked, sets.asked.labels["shape"], BEST)
    results["shape, strange"] = probe.right(strange, sets.strange.labels["shape"])
    for factors in (("colour",), ("texture",), ("shape", "texture"), ("shape", "colour")):
        classes = int(np.prod([FACTORS[factor] for factor in factors]))
        fine = Probe(known, joined(sets.known.labels, factors), classes)
        results[" + ".join(factors)] = fine.right(asked, joined(sets.asked.labels, factors))
    pair = ("shape", "colour")
    for shots in (5, 10):
        mean, error = few_shot(
            (known, joined(sets.known.labels, pair)),
            (asked, joined(sets.asked.labels, pair)),
            shots,
            DRAWS,
            sets.config.seed,
        )
        results[f"{shots}-shot"], results[f"{shots}-shot error"] = mean, error
    turned_known, turns_known = quarter_turned(sets.known, sets.config.seed)
    turned_asked, turns_asked = quarter_turned(sets.asked, sets.config.seed + 1)
    turn = Probe(represent(turned_known), turns_known, 4)
    results["rotation"] = turn.right(represent(turned_asked), turns_asked)
    return results | (damaged(represent, sets, probe) if with_damage else {})


def damaged(represent: Represent, sets: Sets, probe: Probe) -> dict[str, float]:
    """Answers of the shape probe, which learnt from whole pictures, for damaged ones: a mean a family."""
    count = sets.config.corrupted
    images, labels = sets.asked.images[:count], sets.asked.labels["shape"][:count]
    results = {}
    for family, damages in CORRUPTIONS.items():
        shares = [
            probe.right(represent(corrupt(images, damage, strength, sets.config.seed)), labels)
            for damage in damages.values()
            for strength in sets.config.strengths
        ]
        results[family] = float(np.mean(shares))
    return results
