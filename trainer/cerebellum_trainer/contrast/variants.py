"""The models that LooC's tables compare, as data."""

from __future__ import annotations

from dataclasses import replace

from cerebellum_trainer.contrast.model import LoocConfig
from cerebellum_trainer.contrast.views import Atomic

BOTH: tuple[Atomic, ...] = ("colour", "rotation")
ALL: tuple[Atomic, ...] = ("colour", "rotation", "texture")


def moco(*augmentations: Atomic, shared: tuple[Atomic, ...] = ()) -> LoocConfig:
    """One space, in which all is forgotten that views do not share."""
    return LoocConfig(augmentations=augmentations, spaces=(), shared=shared)


def looc(*spaces: Atomic) -> LoocConfig:
    """Colour always varies, as in MoCo v2; whatever has a space varies too."""
    return LoocConfig(augmentations=tuple(dict.fromkeys(("colour", *spaces))), spaces=spaces)


def concatenated(config: LoocConfig) -> LoocConfig:
    return replace(config, concatenated=True)


UNTRAINED = "untrained"
SUPERVISED = "supervised by shape"
VARIANTS: dict[str, LoocConfig] = {
    "MoCo": moco("colour"),
    "MoCo + rotation": moco(*BOTH),
    "MoCo + rotation, the same for both": moco(*BOTH, shared=("rotation",)),
    "LooC, rotation": looc("rotation"),
    "LooC, colour": looc("colour"),
    "LooC, colour and rotation": looc(*BOTH),
    "LooC++, rotation": concatenated(looc("rotation")),
    "LooC++, colour": concatenated(looc("colour")),
    "LooC++, colour and rotation": concatenated(looc(*BOTH)),
    "MoCo, all three": moco(*ALL),
    "LooC, all three": looc(*ALL),
    "LooC++, all three": concatenated(looc(*ALL)),
}
MODELS = (UNTRAINED, SUPERVISED, *VARIANTS)
# The sheet of nearest neighbours, and the table of single spaces, are of these.
SHEET = ("MoCo + rotation", "LooC++, colour and rotation")
SINGLE_SPACES = "LooC++, all three"
