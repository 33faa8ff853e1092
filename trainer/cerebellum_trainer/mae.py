"""Masked autoencoder: three quarters of the patches are hidden, a decoder paints them back (He et al. 2022).

The target of a patch is its pixels less their mean, over their deviation. A floor on that deviation keeps a
plain table patch from being amplified noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, normalise
from cerebellum_trainer.vit import Block, VisionTransformer, VitConfig, initialise, sincos_positions


@dataclass(frozen=True)
class MaeConfig:
    """Recipe of pre-training. `images` counts repetitions; the schedule is a 5 % warm-up, then a cosine."""

    images: int = 64_000
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up_share: float = 0.05
    gradient_norm_max: float = 1.0
    mask_share: float = 0.75
    decoder_width: int = 96
    decoder_depth: int = 2
    decoder_heads: int = 3
    # Of RGB / 255: about six grey levels.
    deviation_floor: float = 0.025


class MaskedAutoencoder(nn.Module):
    def __init__(self, encoder: VisionTransformer, config: MaeConfig, pixel_std: float) -> None:
        """`pixel_std` converts the floor from RGB / 255 to the encoder's normalised pixels."""
        super().__init__()
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
        count = self.encoder.config.patches
        order = torch.rand(batch, count, generator=generator).argsort(dim=1)
        kept = int(count * (1 - self.mask_share))
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

    def forward(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Mean squared error over the hidden patches of (b, 3, image, image) normalised images."""
        kept, hidden = self.mask(len(images), generator)
        predicted = self.reconstruct(images, kept, hidden)
        target, _, _ = self.target(images)
        return (take(predicted, hidden) - take(target, hidden)).square().mean()

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


def open_corpus(path: Path, size_px: int) -> np.ndarray:
    """Memory-maps (n, size, size, 3) uint8 RGB. Raises: TrainerError CORPUS_UNREADABLE if it is not that."""
    try:
        corpus = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TrainerError(
            "CORPUS_UNREADABLE", f"{path} is no .npy array", "Render the corpus again"
        ) from error
    if corpus.dtype != np.uint8 or corpus.ndim != 4 or corpus.shape[1:] != (size_px, size_px, 3):
        raise TrainerError(
            "CORPUS_UNREADABLE",
            f"{path} holds {corpus.dtype} {corpus.shape}, not uint8 (n, {size_px}, {size_px}, 3)",
            "Render the corpus at the encoder's image size",
        )
    return corpus


class Corpora:
    """Several corpora as one, each left where it is on the disk. Indexed by numbers or a slice."""

    def __init__(self, parts: list[np.ndarray]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        numbers = np.arange(len(self))[chosen]
        found = np.empty((len(numbers), *self._parts[0].shape[1:]), np.uint8)
        owner = np.searchsorted(self._ends, numbers, side="right")
        for place, part in enumerate(self._parts):
            first = int(self._ends[place]) - len(part)
            found[owner == place] = part[numbers[owner == place] - first]
        return found


def open_corpora(paths: tuple[Path, ...], size_px: int) -> Corpora:
    """Raises: TrainerError CORPUS_UNREADABLE, naming the file."""
    return Corpora([open_corpus(path, size_px) for path in paths])


def cosine_rate(step: int, steps: int, warm_up_share: float) -> float:
    """Factor on the learning rate at `step` of `steps`: linear from 0, then half a cosine to 0."""
    warm_up = max(1, round(steps * warm_up_share))
    if step < warm_up:
        return step / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Decay for matrices only: biases, norms and tokens go without."""
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1 and p.shape[0] > 1]
    others = [p for p in trained if not (p.ndim > 1 and p.shape[0] > 1)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def pretrain(
    corpus: np.ndarray | Corpora,
    vit: VitConfig,
    config: MaeConfig,
    preprocessing: Preprocessing,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
) -> tuple[MaskedAutoencoder, list[float]]:
    """Trains on (n, image, image, 3) uint8 RGB. Returns the model and the loss of every step.

    Raises: TrainerError LOSS_NOT_FINITE if training diverges.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = MaskedAutoencoder(VisionTransformer(vit), config, float(np.mean(preprocessing.std)))
    optimiser = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.95)
    )
    steps = max(1, config.images // config.batch)
    losses: list[float] = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * cosine_rate(step + 1, steps + 1, config.warm_up_share)
        chosen = torch.randint(len(corpus), (config.batch,), generator=generator)
        images = normalise(torch.from_numpy(corpus[chosen.sort().values.numpy()]), preprocessing)
        loss = model(images, generator)
        if not torch.isfinite(loss):
            raise TrainerError(
                "LOSS_NOT_FINITE", f"The loss is {loss.item()} at step {step}", "Lower the learning rate"
            )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm_max)
        optimiser.step()
        losses.append(loss.item())
        if on_step is not None:
            on_step(step, steps, losses[-1])
    return model.eval(), losses


@torch.no_grad()
def reconstruction_sheet(
    model: MaskedAutoencoder, images: np.ndarray, preprocessing: Preprocessing, seed: int
) -> Image.Image:
    """One row an image of (n, size, size, 3) uint8: original, what the encoder saw, what the decoder painted.

    Painted patches borrow the true mean and deviation: the loss does not ask the decoder for them.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = normalise(torch.from_numpy(np.ascontiguousarray(images)), preprocessing)
    kept, hidden = model.mask(len(inputs), generator)
    _, mean, deviation = model.target(inputs)
    painted = model.reconstruct(inputs, kept, hidden) * deviation + mean
    original = to_patches(inputs, model.encoder.config.patch_px)
    shown = torch.zeros(original.shape[:2]).scatter(1, kept, 1.0)[:, :, None]
    columns = [original, original * shown, original * shown + painted * (1 - shown)]
    planes = torch.cat([from_patches(c, model.encoder.config.patch_px) for c in columns], dim=3)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    mean_rgb = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    pixels = ((planes * std + mean_rgb) * 255).round().clamp(0, 255).to(torch.uint8)
    rows = pixels.permute(0, 2, 3, 1).reshape(-1, pixels.shape[3], 3)
    return Image.fromarray(rows.numpy())
