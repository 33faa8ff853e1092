"""A small network, with dropout and a batch norm, on samples that depend on chance: all that a resumed run
must bring back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loader import Loader, Tensors
from cerebellum_trainer.training.loop import Fit, LoopConfig, fit
from cerebellum_trainer.training.schedule import cosine_rate
from cerebellum_trainer.training.seeds import reseed
from cerebellum_trainer.training.world import Hardware, World

STEPS = 12


@dataclass(frozen=True)
class Settings:
    """A configuration as commands have them."""

    width: int = 8
    batch: int = 8
    resume: bool = False
    hardware: Hardware = field(default_factory=Hardware)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(checkpoint_every=4, log_every=4))


class Points:
    """Points of a line with noise; 30 of them, so that 12 batches of 8 run over three epochs."""

    def __init__(self, bad: int | None = None) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return 30

    def sample(self, index: int, generator: np.random.Generator) -> Tensors:
        noise = torch.from_numpy(generator.normal(0, 0.1, 4)).float()
        x = torch.full((4,), index / 30) + noise
        if index == self.bad:
            x[0] = torch.nan
        return x, torch.tensor([2 * index / 30])

    def name(self, index: int) -> str:
        return f"point {index}"


def toy(
    seed: int = 5,
    settings: Settings = Settings(),
    world: World = World(),  # noqa: B008 (frozen)
    folder: RunFolder | None = None,
    points: Points | None = None,
    after_step: Callable[[int], None] | None = None,
    dropout: float = 0.2,
    is_normed: bool = True,
) -> tuple[nn.Module, list[float]]:
    reseed(seed)
    middle = nn.BatchNorm1d(settings.width) if is_normed else nn.Identity()
    network = nn.Sequential(
        nn.Linear(4, settings.width), middle, nn.Dropout(dropout), nn.Linear(settings.width, 1)
    )

    def loss(module: nn.Module, tensors: Tensors) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x, y = tensors
        return (module(x) - y).square().mean(), {"largest": x.max()}

    run = Fit(
        network,
        torch.optim.AdamW(network.parameters(), lr=0.02),
        loss,
        Loader(points or Points(), settings.batch, seed, world, settings.hardware.workers),
        STEPS,
        lambda step: cosine_rate(step + 1, STEPS + 1, 0.2),
        {"width": settings.width},
        after_step=after_step,
    )
    return network, fit(run, settings.loop, world, folder)


def in_folder(
    path: Path, settings: Settings, resume: bool = False, **more: object
) -> tuple[nn.Module, list[float]]:
    world = World()
    with RunFolder.open(path, "toy", settings, {"data": "abc"}, world, resume) as folder:
        network, losses = toy(settings=settings, world=world, folder=folder, **more)  # type: ignore[arg-type]
        folder.finish({"lossLast": losses[-1]})
    return network, losses


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
