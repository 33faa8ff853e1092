"""Contrastive pre-training of a backbone on pictures without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from cerebellum_trainer.contrast.backbone import Backbone
from cerebellum_trainer.contrast.model import Contrast, LoocConfig
from cerebellum_trainer.contrast.views import leave_one_out
from cerebellum_trainer.pictures.augment import apply_numbers
from cerebellum_trainer.pictures.classify import make_optimiser
from cerebellum_trainer.pictures.samples import planes_of, standardised
from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loader import Loader, Samples, Tensors
from cerebellum_trainer.training.loop import Fit, LoopConfig, fit
from cerebellum_trainer.training.schedule import cosine_rate
from cerebellum_trainer.training.seeds import reseed
from cerebellum_trainer.training.world import World

# Key of the chance that initial weights and queues come from, beside the seed.
INITIAL_STREAM = 3


@dataclass(frozen=True)
class ContrastRecipe:
    """`images` counts repetitions. Each is a query once, and a key in one more view than there are spaces."""

    images: int = 64_000
    """Pictures seen, repetitions counted. Each is a query once, and a key in one more view than there are
    spaces."""
    batch: int = 128
    """Pictures of a step, of all processes together."""
    learning_rate: float = 2e-3
    """Peak of AdamW's, after the warm-up. Much more, and keys show their age as with a low momentum."""
    weight_decay: float = 1e-2
    """AdamW's, of matrices only: none on biases, norms and tokens."""
    warm_up_share: float = 0.05
    """Share of the steps in which the learning rate rises; then a cosine to 0."""


def pretrain_contrast(
    samples: Samples,
    make_backbone: Callable[[], Backbone],
    config: LoocConfig,
    recipe: ContrastRecipe,
    seed: int,
    world: World | None = None,
    folder: RunFolder | None = None,
    loop: LoopConfig | None = None,
    workers: int = 0,
    architecture: dict[str, Any] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[Contrast, list[float]]:
    """Trains on the first tensor of each sample, (size, size, 3) uint8 RGB.

    Returns: the model in evaluation mode, and every step's loss.

    Raises: TrainerError as `fit` does.
    """
    world = world or World()
    reseed(seed, INITIAL_STREAM)
    model = Contrast(make_backbone(), config)

    def loss(wrapped: nn.Module, tensors: Tensors) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        planes = planes_of(tensors[0])
        numbers = leave_one_out(len(planes), config.augmentations, config.spaces, shared=config.shared)
        views = [standardised(apply_numbers(planes, row)) for row in numbers]
        value, shares = wrapped(views)
        return value, {name: torch.tensor(share) for name, share in shares.items()}

    steps = max(1, recipe.images // recipe.batch)
    run = Fit(
        module=model,
        optimiser=make_optimiser(model, "adamw", recipe.learning_rate, recipe.weight_decay),
        loss=loss,
        loader=Loader(samples, recipe.batch, seed, world, workers),
        steps=steps,
        rate=lambda step: cosine_rate(step + 1, steps + 1, recipe.warm_up_share),
        architecture={"looc": asdict(config), **(architecture or {})},
        after_step=lambda _: model.follow(),
    )
    losses = fit(run, loop or LoopConfig(), world, folder, tell)
    return model.eval(), losses
