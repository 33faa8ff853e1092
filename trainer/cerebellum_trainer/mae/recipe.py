"""Pre-training of an encoder on pictures, on the loop that all training uses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, normalise
from cerebellum_trainer.mae.config import MaeConfig
from cerebellum_trainer.mae.model import MaskedAutoencoder
from cerebellum_trainer.mae.pictures import Pictures, Rendered
from cerebellum_trainer.training.loader import Loader, Tensors
from cerebellum_trainer.training.loop import Fit, LoopConfig, fit
from cerebellum_trainer.training.schedule import cosine_rate, parameter_groups
from cerebellum_trainer.training.world import World
from cerebellum_trainer.vit import VisionTransformer, VitConfig


def new_autoencoder(
    vit: VitConfig, config: MaeConfig, preprocessing: Preprocessing, seed: int
) -> MaskedAutoencoder:
    """Raises: TrainerError ARCHITECTURE_UNFIT."""
    if vit.stem:
        raise TrainerError(
            "ARCHITECTURE_UNFIT",
            f"A convolutional stem {vit.stem} sees beyond a patch, so it would see what is hidden",
            "Pre-train an encoder that cuts patches",
        )
    torch.manual_seed(seed)
    return MaskedAutoencoder(VisionTransformer(vit), config, float(np.mean(preprocessing.std)))


def architecture(vit: VitConfig, config: MaeConfig) -> dict[str, Any]:
    """All on which the shapes of the weights depend, or what they mean."""
    decoder = {"width": config.decoder_width, "depth": config.decoder_depth, "heads": config.decoder_heads}
    return {"kind": "mae", "vit": asdict(vit), "decoder": decoder}


def mae_fit(
    model: MaskedAutoencoder,
    pictures: Pictures,
    config: MaeConfig,
    preprocessing: Preprocessing,
    seed: int,
    world: World,
    workers: int = 0,
) -> Fit:
    """What the loop needs to train `model`, which goes to the world's device."""
    model.to(world.device)

    def loss(module: nn.Module, tensors: Tensors) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        pixels, noise = tensors
        return module(normalise(pixels, preprocessing), noise), {}

    return Fit(
        model,
        adam(model, config),
        loss,
        Loader(pictures, config.batch, seed, world, workers),
        config.steps,
        lambda step: cosine_rate(step + 1, config.steps + 1, config.warm_up_share),
        architecture(model.encoder.config, config),
        config.gradient_norm_max,
    )


def adam(model: nn.Module, config: MaeConfig) -> torch.optim.AdamW:
    groups = parameter_groups(model, config.weight_decay)
    # Fused: one pass over the weights, on a CPU too.
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)


def pretrain(
    corpus: np.ndarray,
    vit: VitConfig,
    config: MaeConfig,
    preprocessing: Preprocessing,
    seed: int,
) -> tuple[MaskedAutoencoder, list[float]]:
    """Trains on (n, image, image, 3) uint8 RGB in this process, and keeps nothing on the disk.

    Returns the model and the loss of every step. Raises: TrainerError, as `fit`.
    """
    model = new_autoencoder(vit, config, preprocessing, seed)
    pictures = Pictures([Rendered(corpus, "corpus")], vit.image_px, vit.patches)
    losses = fit(mae_fit(model, pictures, config, preprocessing, seed, World()), LoopConfig(), World())
    return model.eval(), losses
