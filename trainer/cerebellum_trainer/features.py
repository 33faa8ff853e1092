"""Tokens of the frozen encoder, computed once and kept on disk under a name made of all they depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.relight import Relighting, relit
from cerebellum_trainer.vit import VisionTransformer

BATCH = 64


def encoder_sha256(encoder: VisionTransformer) -> str:
    """Hash of the sizes, heads included, and of every weight in name order."""
    digest = hashlib.sha256(repr(encoder.config).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def encode_images(encoder: VisionTransformer, images: torch.Tensor) -> torch.Tensor:
    """(n, 3, size, size) normalised -> (n, 1 + patches, width)."""
    return torch.cat([encoder(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])


def cached_tokens(
    encoder: VisionTransformer,
    images: torch.Tensor,
    described: dict,
    folder: Path,
) -> torch.Tensor:
    """As `encode_images`, read from `folder` when the encoder and `described` were there before.

    `described` must name all that the images depend on: data set, preprocessing, augmentation, seed.
    """
    key = json.dumps([encoder_sha256(encoder), described], sort_keys=True)
    file = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    expected = (len(images), 1 + encoder.config.patches, encoder.config.width)
    if file.exists():
        tokens = np.load(file, allow_pickle=False)
        if tokens.shape == expected and tokens.dtype == np.float32:
            return torch.from_numpy(tokens)
    tokens = encode_images(encoder, images)
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.save(stream, tokens.numpy())
    part.rename(file)
    return tokens


def training_tokens(
    encoder: VisionTransformer,
    images: torch.Tensor,
    dataset_sha256: str,
    preprocessing: Preprocessing,
    camera: str,
    relighting: Relighting,
    seed: int,
    folder: Path,
) -> torch.Tensor:
    """(1 + copies, n, 1 + patches, width): the frames as recorded, then in other lights.

    Of one encoder, data set and camera: two cameras' images may have the same stamps.
    """
    data = {"dataset": dataset_sha256, "camera": camera, "preprocessing": preprocessing.as_dict()}
    tokens = [cached_tokens(encoder, images, data, folder)]
    for copy in range(relighting.copies):
        generator = torch.Generator().manual_seed(1000 * seed + copy)
        other = relit(images, preprocessing, relighting, generator)
        light = {"relighting": asdict(relighting), "seed": seed, "copy": copy}
        tokens.append(cached_tokens(encoder, other, {**data, **light}, folder))
    return torch.stack(tokens)
