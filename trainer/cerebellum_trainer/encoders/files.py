"""An encoder as a file: safetensors whose header has sizes, what taught it, and how pictures must come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cerebellum_trainer.encoders.efficientnet import EfficientNetConfig, EfficientNetLite0
from cerebellum_trainer.encoders.encoder import Encoder, Pretraining, frozen
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.vit import VisionTransformer, VitConfig

SCHEMA = "cerebellum/encoder@1"


def vit_config(sizes: dict[str, Any]) -> VitConfig:
    return VitConfig(**{**sizes, "stem": tuple(sizes.get("stem", ()))})


# Family named in a header -> encoder of such sizes. Files without a family are older than the second one.
FAMILIES: dict[str, Callable[[dict[str, Any]], Encoder]] = {
    VisionTransformer.family: lambda sizes: VisionTransformer(vit_config(sizes)),
    EfficientNetLite0.family: lambda sizes: EfficientNetLite0(EfficientNetConfig(**sizes)),
}


def save_encoder(
    encoder: Encoder, path: Path, pretraining: Pretraining, preprocessing: Preprocessing | None = None
) -> None:
    """Writes safetensors. Of `preprocessing` size, kernel, mean and std stay; the rest is a camera's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "schema": SCHEMA,
        "family": encoder.family,
        "config": json.dumps(asdict(encoder.config)),  # type: ignore[call-overload]
        "pretraining": pretraining,
    }
    if preprocessing is not None:
        seen = preprocessing.as_dict()
        header["preprocessing"] = json.dumps(
            {name: seen[name] for name in ("size_px", "kernel", "mean", "std")}
        )
    tensors = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(tensors, path, metadata=header)


def read_encoder(path: Path) -> tuple[Encoder, Pretraining, Preprocessing]:
    """The frozen encoder, how it was pre-trained, and how pictures must come to it (of a default camera).

    Other keys (a decoder) are allowed. Raises: TrainerError ENCODER_UNREADABLE if the file is not one of ours
        or a weight is missing or of another size.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise unreadable(path, str(error)) from error
    if header.get("schema") != SCHEMA:
        raise unreadable(path, f"its schema is {header.get('schema')}, not {SCHEMA}")
    family = header.get("family", VisionTransformer.family)
    if family not in FAMILIES:
        raise unreadable(path, f"its family {family} is none of {', '.join(FAMILIES)}")
    try:
        encoder = FAMILIES[family](json.loads(header["config"]))
        preprocessing = Preprocessing(size_px=encoder.config.image_px)
        if "preprocessing" in header:
            seen = json.loads(header["preprocessing"])
            preprocessing = Preprocessing(**{**seen, "mean": tuple(seen["mean"]), "std": tuple(seen["std"])})
        missing = encoder.load_state_dict(tensors, strict=False).missing_keys
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, str(error)) from error
    if missing:
        raise unreadable(path, f"it lacks {', '.join(missing)}")
    return frozen(encoder), header["pretraining"], preprocessing


def load_encoder(path: Path) -> tuple[Encoder, Pretraining]:
    """As `read_encoder`, without how pictures must come."""
    return read_encoder(path)[:2]


def unreadable(path: Path, why: str) -> TrainerError:
    return TrainerError(
        "ENCODER_UNREADABLE",
        f"{path} is no encoder: {why}",
        "Make one with the pretrain or import command, or name one that the encoders command lists",
    )
