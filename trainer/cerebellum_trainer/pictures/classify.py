"""Supervised training on labelled pictures: a module that answers with a score for every class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.pictures.augment import apply_numbers, draw_numbers
from cerebellum_trainer.pictures.samples import PictureSamples, planes_of, standardised
from cerebellum_trainer.training.loader import Loader, Tensors
from cerebellum_trainer.training.loop import Fit, LoopConfig, fit
from cerebellum_trainer.training.schedule import cosine_rate, parameter_groups
from cerebellum_trainer.training.world import World

Optimiser = Literal["adamw", "sgd"]
EVALUATED = 500
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained. Warm-up, then a cosine to 0; no decay on biases, norms and tokens."""

    optimiser: Optimiser = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    epochs: float = 4.0
    batch: int = 128
    warm_up_share: float = 0.05
    augmentations: tuple[str, ...] = ("frame",)
    gradient_norm_max: float | None = None


def make_optimiser(
    module: nn.Module, kind: Optimiser, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW, or SGD with Nesterov's momentum 0.9."""
    groups = parameter_groups(module, weight_decay)
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=learning_rate)


def train_classifier(
    module: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    recipe: Recipe,
    seed: int,
    world: World | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[float]:
    """Returns every step's loss. Raises: TrainerError LOSS_NOT_FINITE where the recipe makes it diverge."""
    world = world or World()

    def loss(wrapped: nn.Module, tensors: Tensors) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        pictures, wanted = tensors
        planes = apply_numbers(planes_of(pictures), draw_numbers(len(pictures), recipe.augmentations))
        return F.cross_entropy(wrapped(standardised(planes)), wanted), {}

    steps = max(1, round(len(images) * recipe.epochs / recipe.batch))
    run = Fit(
        module=module,
        optimiser=make_optimiser(module, recipe.optimiser, recipe.learning_rate, recipe.weight_decay),
        loss=loss,
        loader=Loader(PictureSamples(images, labels), recipe.batch, seed, world),
        steps=steps,
        rate=lambda step: cosine_rate(step + 1, steps + 1, recipe.warm_up_share),
        gradient_norm_max=recipe.gradient_norm_max,
    )
    return fit(run, LoopConfig(), world, tell=tell)


@torch.no_grad()
def outputs(
    module: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray, device: torch.device = CPU
) -> np.ndarray:
    """What a module in evaluation mode on `device` answers for (n, size, size, 3) uint8 pictures, float32."""
    answers = []
    for first in range(0, len(images), EVALUATED):
        part = torch.from_numpy(images[first : first + EVALUATED]).to(device)
        answers.append(module(standardised(planes_of(part))).float().cpu().numpy())
    return np.concatenate(answers)


def error_share(
    module: nn.Module, images: np.ndarray, labels: np.ndarray, device: torch.device = CPU
) -> float:
    """Share of the pictures whose likeliest class is another."""
    scores = outputs(module.eval(), images, device)
    return float((scores.argmax(axis=1) != labels).mean())
