"""Tokens of the frozen encoder, computed once and kept on disk under a name made of all they depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from cerebellum_trainer.controller import Feature
from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.relight import Relighting, relit

BATCH = 64


def encoder_sha256(encoder: Encoder) -> str:
    """Hash of the sizes, heads included, and of every weight in name order."""
    digest = hashlib.sha256(encoder.config.identity().encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def encode_images(encoder: Encoder, images: torch.Tensor, feature: Feature = "patch-tokens") -> torch.Tensor:
    """(n, 3, size, size) normalised -> (n, 1 + patches, width); of "class-token" (n, 1, width)."""
    kept = 1 if feature == "class-token" else 1 + encoder.config.patches
    return torch.cat([encoder(images[at : at + BATCH])[:, :kept] for at in range(0, len(images), BATCH)])


def cached_tokens(
    encoder: Encoder,
    images: torch.Tensor,
    described: dict,
    folder: Path,
    feature: Feature = "patch-tokens",
) -> torch.Tensor:
    """As `encode_images`, read from `folder` when the encoder and `described` were there before.

    `described` must name all that the images depend on: data set, preprocessing, augmentation, seed.
    """
    is_whole = feature == "patch-tokens"
    key = json.dumps([encoder_sha256(encoder), described, *([] if is_whole else [feature])], sort_keys=True)
    file = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    expected = (len(images), 1 + encoder.config.patches if is_whole else 1, encoder.config.width)
    if file.exists():
        tokens = np.load(file, allow_pickle=False)
        if tokens.shape == expected and tokens.dtype == np.float32:
            return torch.from_numpy(tokens)
    tokens = encode_images(encoder, images, feature)
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.save(stream, tokens.numpy())
    part.rename(file)
    return tokens


def training_tokens(
    encoder: Encoder,
    images: torch.Tensor,
    dataset_sha256: str,
    preprocessing: Preprocessing,
    camera: str,
    relighting: Relighting,
    seed: int,
    folder: Path,
    feature: Feature = "patch-tokens",
) -> torch.Tensor:
    """(1 + copies, n, 1 + patches, width): the frames as recorded, then in other lights.

    Of feature "class-token" only the first token: a large encoder's others would fill memory and disk.

    Of one encoder, data set and camera: two cameras' images may have the same stamps.
    """
    data = {"dataset": dataset_sha256, "camera": camera, "preprocessing": preprocessing.as_dict()}
    tokens = [cached_tokens(encoder, images, data, folder, feature)]
    for copy in range(relighting.copies):
        generator = torch.Generator().manual_seed(1000 * seed + copy)
        other = relit(images, preprocessing, relighting, generator)
        light = {"relighting": asdict(relighting), "seed": seed, "copy": copy}
        tokens.append(cached_tokens(encoder, other, {**data, **light}, folder, feature))
    return torch.stack(tokens)
