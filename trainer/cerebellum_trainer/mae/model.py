"""Masked autoencoder: three quarters of the patches are hidden, a decoder paints them back (He et al. 2022).

The target of a patch is its pixels less their mean, over their deviation. A floor on that deviation keeps a
plain table patch from being amplified noise. Encoder and decoder are asymmetric: the large one sees only what
is left of the picture, the small one all places. No loss asks anything of the class token here; it goes along
so that an encoder has one that attends, as in MAE, for those who take their feature from it.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.mae.config import MaeConfig
from cerebellum_trainer.vit import Block, VisionTransformer, initialise, sincos_positions


class MaskedAutoencoder(nn.Module):
    def __init__(self, encoder: VisionTransformer, config: MaeConfig, pixel_std: float) -> None:
        """`pixel_std` converts the floor from RGB / 255 to the encoder's normalised pixels."""
        super().__init__()
        if encoder.config.stem:
            raise TrainerError(
                "MAE_OVERLAPS",
                f"A convolutional stem {encoder.config.stem} sees hidden patches through their neighbours",
                "Pre-train with a patchify stem: leave --vit.stem out",
            )
        self.encoder = encoder
        self.mask_share = config.mask_share
        self.floor = config.deviation_floor / pixel_std
        sizes, width = encoder.config, config.decoder_width
        self.embed = nn.Linear(sizes.width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(sincos_positions(sizes.grid, width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(width, config.decoder_heads) for _ in range(config.decoder_depth))
        self.norm = nn.LayerNorm(width)
        self.predict = nn.Linear(width, 3 * sizes.patch_px**2)
        for part in (self.embed, self.blocks, self.predict):
            part.apply(initialise)
        nn.init.normal_(self.mask_token, std=0.02)

    def mask(self, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices (batch, kept) and (batch, hidden) of patches, a fresh random split for every image."""
        return self.split(torch.rand(batch, self.encoder.config.patches, generator=generator))

    def split(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from independent numbers (b, patches): the patches of the smallest ones are kept."""
        order = noise.argsort(dim=1)
        kept = int(noise.shape[1] * (1 - self.mask_share))
        return order[:, :kept], order[:, kept:]

    def reconstruct(self, images: torch.Tensor, kept: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Predicted normalised patches (b, patches, 3 patch^2), in image order, from the kept ones alone."""
        visible = self.encoder.encode(take(self.encoder.embed(images), kept))
        latent = self.embed(visible)
        blank = self.mask_token.expand(len(images), hidden.shape[1], -1)
        shuffled = torch.cat([latent[:, 1:], blank], dim=1)
        order = torch.cat([kept, hidden], dim=1)[:, :, None].expand(-1, -1, shuffled.shape[-1])
        in_order = torch.zeros_like(shuffled).scatter(1, order, shuffled)
        tokens = torch.cat([latent[:, :1], in_order], dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.predict(self.norm(tokens[:, 1:]))

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Mean squared error over the hidden patches of (b, 3, image, image) normalised images.

        `noise`: (b, patches) uniform numbers that choose what is hidden, see `split`.
        """
        kept, hidden = self.split(noise)
        predicted = self.reconstruct(images, kept, hidden)
        target, _, _ = self.target(images)
        return (take(predicted, hidden).float() - take(target, hidden)).square().mean()

    def target(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Per-patch normalised pixels (b, patches, 3 patch^2), and the mean and deviation removed."""
        pixels = to_patches(images, self.encoder.config.patch_px)
        mean = pixels.mean(dim=-1, keepdim=True)
        deviation = (pixels.var(dim=-1, keepdim=True) + self.floor**2).sqrt()
        return (pixels - mean) / deviation, mean, deviation


def take(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """tokens (b, n, d), index (b, k) -> (b, k, d)."""
    return torch.gather(tokens, 1, index[:, :, None].expand(-1, -1, tokens.shape[-1]))


def to_patches(images: torch.Tensor, patch_px: int) -> torch.Tensor:
    """(b, 3, h, w) -> (b, patches, 3 patch^2), row by row from the top left."""
    batch, channels, height, width = images.shape
    split = images.view(batch, channels, height // patch_px, patch_px, width // patch_px, patch_px)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * patch_px**2)


def from_patches(patches: torch.Tensor, patch_px: int) -> torch.Tensor:
    """Inverse of `to_patches` for square images."""
    batch, count, _ = patches.shape
    grid = math.isqrt(count)
    split = patches.view(batch, grid, grid, 3, patch_px, patch_px)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(batch, 3, grid * patch_px, grid * patch_px)
