"""Behaviour cloning in which the encoder is trained, too: from random weights ("from scratch"), or on from
pre-trained ones. The same frames, controller and loss as `clone`; pictures instead of cached tokens, so each
one is seen in a light drawn anew.

A pass through the encoder costs hundreds of times one through the controller, so what is fixed is a number of
pictures, and not of epochs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.clone import CloneConfig, check_finite, scales_of, select_frames, spreads_of
from cerebellum_trainer.controller import Controller, ControllerConfig, grid_of, select_feature
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.encoders.encoder import AnyEncoder, frozen
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encode_images
from cerebellum_trainer.mae import cosine_rate, parameter_groups
from cerebellum_trainer.relight import Relighting, relit

# Frames whose tokens tell the controller's scales before training.
SCALE_FRAMES = 256


@dataclass(frozen=True)
class FineTuning:
    """Of an encoder that is trained with the controller; schedule and decay are the recipe's."""

    images: int = 24_000
    """Pictures seen, repetitions counted."""
    batch: int = 32
    encoder_learning_rate: float = 5e-4
    """From scratch; a tenth of it is usual for pre-trained weights."""
    gradient_norm_max: float = 1.0


def clone_and_finetune(
    encoder: AnyEncoder,
    dataset: Dataset,
    controller_config: ControllerConfig,
    recipe: CloneConfig,
    config: FineTuning,
    relighting: Relighting,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
) -> tuple[AnyEncoder, Controller, list[float]]:
    """Trains a copy of the encoder, and a controller on it.

    `recipe.feature_noise` is left out: it is there to make up for features that never change.
    Returns: both in evaluation mode, and every step's loss in squared deviations of the action.
    Raises: TrainerError DATASET_SMALL if there is not one batch of frames, LOSS_NOT_FINITE, naming the batch.
    """
    encoder = trainable(encoder)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    frames = select_frames(dataset.still, dataset.hold, recipe, generator)
    if len(frames) < config.batch:
        raise TrainerError(
            "DATASET_SMALL",
            f"Only {len(frames)} usable frames (one batch needs {config.batch})",
            "Record more demonstrations",
        )
    some = frames[torch.linspace(0, len(frames) - 1, min(SCALE_FRAMES, len(frames))).long()]
    tokens = encode_images(encoder, dataset.images[some])
    state, action = dataset.state[frames], dataset.action[frames]
    feature = select_feature(tokens, controller_config.feature)
    scales = scales_of(feature, state, action, controller_config, dataset.moves_gripper)
    model = Controller(controller_config, tokens.shape[-1], grid_of(tokens), state.shape[1], scales)
    optimiser = torch.optim.AdamW(groups_of(encoder, model, recipe, config))
    columns, body = state.shape[1], dataset.body
    joint_spread, noise = spreads_of(recipe, columns, body.is_compliant, dataset.moves_gripper)
    steps = max(1, config.images // config.batch)
    losses: list[float] = []
    for step, chosen in enumerate(batches(len(frames), config.batch, steps, generator)):
        rate = cosine_rate(step + 1, steps + 1, recipe.warm_up_share)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        images = dataset.images[frames[chosen]]
        if relighting.copies > 0:
            images = relit(images, dataset.preprocessing, relighting, generator)
        moved, off = torch.randn(2, len(chosen), columns, generator=generator)
        there = state[chosen] + joint_spread * moved + noise * off
        led = action[chosen] - joint_spread * moved
        seen = select_feature(encoder(images), controller_config.feature)
        loss = F.mse_loss(model.scaled(seen, there), scales.normalised(led))
        check_finite(loss, 0, step)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*encoder.parameters(), *model.parameters()], config.gradient_norm_max)
        optimiser.step()
        losses.append(loss.item())
        if on_step is not None:
            on_step(step, steps, losses[-1])
    return frozen(encoder), model.eval(), losses


def trainable(encoder: AnyEncoder) -> AnyEncoder:
    """A copy in training mode; what its kind keeps fixed (positions) stays so."""
    copied = copy.deepcopy(encoder).train()
    kind = type(encoder)
    fresh = dict(kind(encoder.config).named_parameters())
    for name, parameter in copied.named_parameters():
        parameter.requires_grad_(fresh[name].requires_grad)
    return copied


def groups_of(
    encoder: nn.Module, controller: nn.Module, recipe: CloneConfig, config: FineTuning
) -> list[dict]:
    """Decay for matrices only, and a learning rate for each of the two networks (`peak`)."""
    rates = ((encoder, config.encoder_learning_rate), (controller, recipe.learning_rate))
    return [
        {**group, "peak": rate}
        for network, rate in rates
        for group in parameter_groups(network, recipe.weight_decay)
    ]


def batches(count: int, batch: int, steps: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """`steps` batches of indices below `count`; each index once before any comes again."""
    order = torch.randperm(count, generator=generator)
    for _ in range(steps):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:batch]
        order = order[batch:]
