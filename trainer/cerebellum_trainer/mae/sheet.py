"""Pictures by which a person judges what a masked autoencoder has learnt."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from cerebellum_trainer.images import Preprocessing, normalise
from cerebellum_trainer.mae.model import MaskedAutoencoder, from_patches, to_patches


@torch.no_grad()
def reconstruction_sheet(
    model: MaskedAutoencoder, images: np.ndarray, preprocessing: Preprocessing, seed: int
) -> Image.Image:
    """One row an image of (n, size, size, 3) uint8: original, what the encoder saw, what the decoder painted.

    Painted patches borrow the true mean and deviation: the loss does not ask the decoder for them.
    """
    generator = torch.Generator().manual_seed(seed)
    device = model.mask_token.device
    inputs = normalise(torch.from_numpy(np.ascontiguousarray(images)).to(device), preprocessing)
    kept, hidden = (index.to(device) for index in model.mask(len(inputs), generator))
    _, mean, deviation = model.target(inputs)
    painted = model.reconstruct(inputs, kept, hidden) * deviation + mean
    original = to_patches(inputs, model.encoder.config.patch_px)
    shown = torch.zeros(original.shape[:2], device=device).scatter(1, kept, 1.0)[:, :, None]
    columns = [original, original * shown, original * shown + painted * (1 - shown)]
    planes = torch.cat([from_patches(c, model.encoder.config.patch_px) for c in columns], dim=3).cpu()
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    mean_rgb = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    pixels = ((planes * std + mean_rgb) * 255).round().clamp(0, 255).to(torch.uint8)
    rows = pixels.permute(0, 2, 3, 1).reshape(-1, pixels.shape[3], 3)
    return Image.fromarray(rows.numpy())
