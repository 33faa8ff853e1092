"""Checkpoints that others have published: what their weights do not tell. None comes with this software.

Names and sizes of MVP are those of its public model list (Radosavovic et al. 2022); no such file could be
opened when this was written, so layout and head counts are as its code has them. Its ViT-S has 12 heads where
the thesis says 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cerebellum_trainer.encoders.encoder import Pretraining
from cerebellum_trainer.images import IMAGENET_MEAN, IMAGENET_STD, Kernel
from cerebellum_trainer.vit import LAYER_NORM_EPS

Kind = Literal["mvp", "mae", "timm", "clip"]
Normalisation = Literal["imagenet", "half", "clip"]
Rgb = tuple[float, float, float]

NORMALISATIONS: dict[Normalisation, tuple[Rgb, Rgb]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    # As TensorFlow's models and those that came from JAX (ViT "augreg").
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


@dataclass(frozen=True)
class Make:
    """What all checkpoints of a kind have in common; None: it differs among them and must be said."""

    pretraining: Pretraining | None
    normalisation: Normalisation | None
    kernel: Kernel
    norm_eps: float = LAYER_NORM_EPS
    heads_of_width: int | None = None
    """Width of a head, where that is how the kind defines them."""


MAKES: dict[Kind, Make] = {
    # OpenCV's bilinear, which does not widen its kernel.
    "mvp": Make("mae", "imagenet", "bilinear"),
    "mae": Make("mae", "imagenet", "bilinear-antialias"),
    "timm": Make(None, None, "bilinear-antialias"),
    "clip": Make("clip", "clip", "bilinear-antialias", norm_eps=1e-5, heads_of_width=64),
}


@dataclass(frozen=True)
class Published:
    kind: Kind
    heads: int
    width: int
    depth: int
    image_px: int = 224
    pretraining: Pretraining | None = None
    """Where it differs from the kind's."""
    md5: str = ""
    """How the published file's checksum begins, where that is known."""


PUBLISHED: dict[str, Published] = {
    "vits-mae-hoi": Published("mvp", 12, 384, 12, md5="fe6e30"),
    "vits-mae-in": Published("mvp", 12, 384, 12),
    "vits-sup-in": Published("mvp", 12, 384, 12, pretraining="supervised"),
    "vitb-mae-egosoup": Published("mvp", 12, 768, 12, md5="526093"),
    "vitl-256-mae-egosoup": Published("mvp", 16, 1024, 24, 256, md5="5352b0"),
}
