"""checkpoint of others -> encoder file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import tyro

from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.encoders.checkpoint import Unseen, encoder_of_checkpoint, for_size, other
from cerebellum_trainer.encoders.encoder import Encoder, Pretraining, frozen
from cerebellum_trainer.encoders.files import read_encoder, save_encoder
from cerebellum_trainer.encoders.published import (
    MAKES,
    NORMALISATIONS,
    PUBLISHED,
    Kind,
    Normalisation,
    Published,
)
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.images import Kernel, Preprocessing
from cerebellum_trainer.runs import file_sha256, write_run
from cerebellum_trainer.vit import Activation, VisionTransformer

GOLDEN_VALUES = 16
Said = TypeVar("Said")


@dataclass(frozen=True)
class Import:
    """Makes an encoder of a published checkpoint (MVP, MAE, timm, CLIP), with a record of all it depends on.

    Weights do not tell how many heads they were trained with, nor how pictures were normalised: what no
    default covers must be said.
    """

    checkpoint: tyro.conf.Positional[Path]
    """A .pth or .safetensors file that you have fetched."""
    model: str | None = None
    """Name in MVP's list: vits-mae-hoi, vits-mae-in, vits-sup-in, vitb-mae-egosoup, vitl-256-mae-egosoup."""
    kind: Kind | None = None
    """Whose it is, where it is not in that list."""
    heads: int | None = None
    """Of attention. Weights do not tell: a wrong number loads without an error."""
    pretraining: Pretraining | None = None
    """How it was trained; it stands in every manifest."""
    normalisation: Normalisation | None = None
    """Mean and deviation that pictures are brought to; imagenet, half (0.5 and 0.5), or clip."""
    kernel: Kernel | None = None
    """How pictures are made smaller; bilinear (OpenCV's) for mvp, antialiased for the others."""
    activation: Activation | None = None
    """Of clip: quick-gelu for OpenAI's weights, gelu for others'."""
    image_px: int | None = None
    """Side of its pictures [px], where it is not that of its training: its positions are resampled."""
    out: Path | None = None
    """The encoder's file; .cerebellum/training/imported/NAME.safetensors when none is named."""


def run_import(config: Import) -> Path:
    """Returns the encoder's file.

    Raises: TrainerError IMPORT_UNSAID, OUTPUT_EXISTS, CHECKPOINT_UNREADABLE, CHECKPOINT_OTHER.
    """
    published = find_published(config.model)
    kind: Kind = said("kind", config.kind, published.kind if published else None)
    make = MAKES[kind]
    unseen = Unseen(
        heads=config.heads or (published.heads if published else None),
        head_width=make.heads_of_width,
        norm_eps=make.norm_eps,
        activation=said("activation", config.activation, None if kind == "clip" else "gelu"),
    )
    if unseen.heads is None and unseen.head_width is None:
        said("heads", None, None)
    pretraining: Pretraining = said(
        "pretraining", config.pretraining, (published.pretraining if published else None) or make.pretraining
    )
    mean, std = NORMALISATIONS[said("normalisation", config.normalisation, make.normalisation)]
    file = config.out or WORK / "imported" / f"{config.model or config.checkpoint.stem}.safetensors"
    if file.exists():
        raise TrainerError(
            "OUTPUT_EXISTS", f"{file} is there already", "Name another file with --out, or move it"
        )
    encoder, translated = encoder_of_checkpoint(config.checkpoint, unseen)
    if published is not None:
        check_sizes(config.checkpoint, encoder, published)
    if config.image_px is not None:
        encoder = for_size(encoder, config.image_px)
    sizes = encoder.config
    preprocessing = Preprocessing(
        size_px=sizes.image_px, kernel=config.kernel or make.kernel, mean=mean, std=std
    )
    save_encoder(frozen(encoder), file, pretraining, preprocessing)
    kept = golden(read_encoder(file)[0])
    is_published = published is not None and md5_of(config.checkpoint).startswith(published.md5 or " ")
    results = {
        "encoderSha256": encoder_sha256(encoder),
        "kind": kind,
        "heads": sizes.heads,
        "sizes": sizes.identity(),
        "pretraining": pretraining,
        "preprocessing": {"kernel": preprocessing.kernel, "mean": mean, "std": std},
        "leftOut": translated.left_out,
        "isPublishedFile": is_published,
        "golden": kept,
    }
    write_run(
        file.with_suffix(".json"), "import", config, {"checkpoint": file_sha256(config.checkpoint)}, results
    )
    print(
        f"{file}: {kind}, {sizes.image_px} px, width {sizes.width}, {sizes.depth} blocks, "
        f"{sizes.heads} heads, pre-training {pretraining}; "
        f"{len(translated.left_out)} tensors that take no part were left out"
    )
    if published is not None and published.md5 and not is_published:
        print(f"Its checksum is not that of the published {config.model} (md5 {published.md5}...)")
    return file


def find_published(model: str | None) -> Published | None:
    if model is None or model in PUBLISHED:
        return PUBLISHED[model] if model else None
    raise TrainerError(
        "IMPORT_UNSAID",
        f"{model} is none of {', '.join(PUBLISHED)}",
        "Name one of these, or leave --model out and say --kind and --heads",
    )


def said(what: str, chosen: Said | None, default: Said | None) -> Said:
    """What the user chose, else the default; there is none for what only the user can know."""
    found = chosen if chosen is not None else default
    if found is None:
        raise TrainerError(
            "IMPORT_UNSAID",
            f"The weights do not tell their {what}, and a wrong guess would load without an error",
            f"Say --{what}, or --model with a name of MVP's list",
        )
    return found


def check_sizes(checkpoint: Path, encoder: VisionTransformer, published: Published) -> None:
    sizes = encoder.config
    found = (sizes.width, sizes.depth, sizes.image_px)
    expected = (published.width, published.depth, published.image_px)
    if found != expected:
        raise other(checkpoint, f"width, depth and pixels are {found}, those of the model named {expected}")


@torch.no_grad()
def golden(encoder: Encoder) -> dict[str, object]:
    """What the first numbers of the first token are for a picture that any framework can make."""
    side = encoder.config.image_px
    ramp = torch.linspace(-2, 2, 3 * side * side).view(1, 3, side, side)
    token = encoder(ramp)[0, 0, :GOLDEN_VALUES]
    return {
        "input": f"linspace(-2, 2, 3 * {side} * {side}) as [1, 3, {side}, {side}]",
        "firstToken": [round(value, 6) for value in token.tolist()],
    }


def md5_of(path: Path) -> str:
    """The checksum that MVP's list gives; it only tells whether this is that file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
