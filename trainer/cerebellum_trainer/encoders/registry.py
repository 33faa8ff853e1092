"""Encoders by name: those that come with a package, untrained ones of any size, and files of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cerebellum_trainer.encoders.efficientnet import TAPS, EfficientNetConfig, pretrained_efficientnet
from cerebellum_trainer.encoders.encoder import AnyEncoder, Encoder, Pretraining, frozen
from cerebellum_trainer.encoders.files import read_encoder
from cerebellum_trainer.encoders.sizes import SIZES
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.vit import VisionTransformer


@dataclass(frozen=True)
class Named:
    """An encoder that needs no file of the user's."""

    pretraining: Pretraining
    about: str
    build: Callable[[], tuple[Encoder, Preprocessing]]


def _efficientnet(config: EfficientNetConfig) -> Named:
    about = f"EfficientNet-Lite0, ImageNet with labels, features of its {config.tap}"
    return Named("supervised", about, lambda: pretrained_efficientnet(config))


NAMED: dict[str, Named] = {
    "efficientnet-lite0": _efficientnet(EfficientNetConfig()),
    **{f"efficientnet-lite0-{tap}": _efficientnet(EfficientNetConfig(tap=tap)) for tap in TAPS},
}
# Before the name of a size: weights of the initialisation, drawn with a seed that may follow after a colon.
RANDOM = "random:"


def untrained(make: Callable[[], AnyEncoder], seed: int = 0) -> AnyEncoder:
    """What `make` makes, frozen with its first weights; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return frozen(make())


def is_name(named: Path) -> bool:
    return str(named) in NAMED or str(named).startswith(RANDOM)


def open_named(named: Path) -> tuple[Encoder, Pretraining, Preprocessing]:
    """The frozen encoder, how it was pre-trained, and how pictures must come to it.

    `named`: a file of the pretrain or import command, a name of NAMED, or random:SIZE with a name of SIZES
    (random:SIZE:SEED for another seed than 0).

    Raises: TrainerError ENCODER_UNREADABLE, ENCODER_UNKNOWN.
    """
    text = str(named)
    if text in NAMED:
        named_encoder = NAMED[text]
        encoder, preprocessing = named_encoder.build()
        return frozen(encoder), named_encoder.pretraining, preprocessing
    if text.startswith(RANDOM):
        size, _, seed = text.removeprefix(RANDOM).partition(":")
        if size in SIZES and (not seed or seed.isdecimal()):
            vit = untrained(lambda: VisionTransformer(SIZES[size]), int(seed or 0))
            return vit, "none", Preprocessing(size_px=vit.config.image_px)
        raise unknown(text)
    if not named.exists() and named.suffix != ".safetensors":
        raise unknown(text)
    return read_encoder(named)


def unknown(text: str) -> TrainerError:
    return TrainerError(
        "ENCODER_UNKNOWN",
        f"{text} is no file, no folder of a bundle and none of {', '.join(NAMED)} or {RANDOM}SIZE "
        f"with one of {', '.join(SIZES)}",
        "Name one of these; `./cerebellum train encoders` says what they are",
    )
