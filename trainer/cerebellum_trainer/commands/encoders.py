"""Which encoders have names, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cerebellum_trainer.encoders.complexity import Complexity, complexity
from cerebellum_trainer.encoders.efficientnet import EfficientNetConfig, EfficientNetLite0
from cerebellum_trainer.encoders.registry import NAMED, RANDOM
from cerebellum_trainer.encoders.sizes import SIZES
from cerebellum_trainer.vit import VisionTransformer


@dataclass(frozen=True)
class Encoders:
    """Lists the encoders that other commands take by name: parameters, flops and activations of a picture."""


def run_encoders(_: Encoders) -> dict[str, Complexity]:
    """Returns what it prints, of the sizes."""
    print("With weights that come with a package:")
    for name, named in NAMED.items():
        print(f"  {name:26} {named.about}; pre-training {named.pretraining}")
    print(f"\nUntrained, as {RANDOM}SIZE or {RANDOM}SIZE:SEED (parameters M, flops G, activations M):")
    rows = {}
    with torch.device("meta"):
        for name, config in SIZES.items():
            rows[name] = complexity(VisionTransformer(config))
        lite = complexity(EfficientNetLite0(EfficientNetConfig()))
    for name, row in rows.items():
        print(f"  {name:26} {SIZES[name].image_px} px {said(row)}")
    print(f"\nFor comparison, efficientnet-lite0 at 224 px {said(lite)}")
    print("Besides these: a file of the pretrain or import command, or the folder of a policy bundle")
    return rows


def said(row: Complexity) -> str:
    return f"{row.parameters / 1e6:7.1f} {row.flops / 1e9:7.2f} {row.activations / 1e6:6.1f}"
