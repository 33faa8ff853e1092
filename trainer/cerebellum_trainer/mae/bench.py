"""How much of what the processor can do reaches the training: the whole loop against bare forward and
backward.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from cerebellum_trainer.images import Preprocessing, normalise
from cerebellum_trainer.mae.config import MaeConfig
from cerebellum_trainer.mae.model import MaskedAutoencoder
from cerebellum_trainer.mae.pictures import Pictures
from cerebellum_trainer.mae.recipe import mae_fit, new_autoencoder
from cerebellum_trainer.training.loop import LoopConfig, fit
from cerebellum_trainer.training.world import World
from cerebellum_trainer.vit import VitConfig

# Steps of a stretch: fewer say nothing, for the loader begins with some batches in hand.
STEPS_MIN = 6
MATMUL_SIZE = 2048


@dataclass(frozen=True)
class Rates:
    """Medians over the rounds. Images a second; arithmetic in GFLOP and GFLOP a second."""

    bare_images_per_s: float
    loop_images_per_s: float
    # Of each round, loop by bare: both were measured right after one another.
    shares: tuple[float, ...]
    gflop_per_image: float
    matmul_gflop_per_s: float

    @property
    def share(self) -> float:
        return statistics.median(self.shares)

    @property
    def peak_share(self) -> float:
        """Of the rate of a plain matrix product, which the loop reaches."""
        return self.loop_images_per_s * self.gflop_per_image / self.matmul_gflop_per_s


def measure(
    pictures: Pictures,
    vit: VitConfig,
    config: MaeConfig,
    world: World,
    workers: int,
    seconds: float,
    rounds: int,
    tell: Callable[[str], None],
) -> Rates:
    """Bare and whole in turn, `rounds` times, in about `seconds` [s] altogether.

    Bare: one batch that lies there normalised, forward and backward. Whole: what a run does, from the JPEGs
    on the disk to the optimiser's step; the start of the workers is left out.
    """
    preprocessing = Preprocessing(size_px=vit.image_px)
    model = new_autoencoder(vit, config, preprocessing, 0)
    model.to(world.device)
    inputs = one_batch(pictures, config.batch, preprocessing, world)
    gflop = flop_of(model, inputs) / 1e9 / config.batch
    stretch_s = seconds / (2 * rounds + 1)
    step_s = bare_step_s(model, inputs, world, stretch_s / 2)
    steps = max(STEPS_MIN, round(stretch_s / step_s))
    bare: list[float] = []
    loop: list[float] = []
    for number in range(rounds):
        bare.append(config.batch / bare_step_s(model, inputs, world, stretch_s))
        recipe = replace(config, images=config.batch * steps)
        loop.append(config.batch / loop_step_s(model, pictures, recipe, preprocessing, world, workers))
        tell(f"round {number + 1}: bare {bare[-1]:.1f}, whole {loop[-1]:.1f} images/s")
    return Rates(
        statistics.median(bare),
        statistics.median(loop),
        tuple(whole / alone for whole, alone in zip(loop, bare, strict=True)),
        gflop,
        matmul_gflop_per_s(world),
    )


def one_batch(
    pictures: Pictures, count: int, preprocessing: Preprocessing, world: World
) -> tuple[torch.Tensor, torch.Tensor]:
    some = torch.from_numpy(pictures.some(count)).to(world.device)
    images = normalise(some, preprocessing)
    images = images.repeat(-(-count // len(images)), 1, 1, 1)[:count].contiguous()
    patches = pictures.patches
    return images, torch.rand(count, patches, generator=torch.Generator().manual_seed(0)).to(world.device)


def forward_backward(
    model: MaskedAutoencoder, inputs: tuple[torch.Tensor, torch.Tensor], world: World
) -> None:
    model.zero_grad(set_to_none=True)
    with world.autocast():
        loss = model(*inputs)
    loss.backward()


def flop_of(model: MaskedAutoencoder, inputs: tuple[torch.Tensor, torch.Tensor]) -> int:
    """Of forward and backward of these inputs; a multiplication with its addition counts as two."""
    with FlopCounterMode(display=False) as counter:
        forward_backward(model, inputs, World(device=inputs[0].device))
    return int(counter.get_total_flops())


def bare_step_s(
    model: MaskedAutoencoder, inputs: tuple[torch.Tensor, torch.Tensor], world: World, seconds: float
) -> float:
    """Seconds of one forward and backward, the mean over about `seconds`."""
    forward_backward(model, inputs, world)
    settle(world)
    started, done = time.monotonic(), 0
    while done < 2 or time.monotonic() - started < seconds:
        forward_backward(model, inputs, world)
        settle(world)
        done += 1
    return (time.monotonic() - started) / done


def loop_step_s(
    model: MaskedAutoencoder,
    pictures: Pictures,
    config: MaeConfig,
    preprocessing: Preprocessing,
    world: World,
    workers: int,
) -> float:
    """Seconds of a step of a run, from the end of its first step to the end of its last."""
    run = mae_fit(model, pictures, config, preprocessing, 0, world, workers)
    ends: list[float] = []
    run.after_step = lambda _: ends.append(time.monotonic())
    fit(run, LoopConfig(), world)
    settle(world)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def matmul_gflop_per_s(world: World, seconds: float = 1.0) -> float:
    """Of a product of two square matrices in the run's precision: what the device reaches in practice."""
    kind = torch.bfloat16 if world.precision == "bf16" else torch.float32
    size = MATMUL_SIZE * (4 if world.device.type == "cuda" else 1)
    a = torch.randn(size, size, device=world.device, dtype=kind)
    a @ a
    settle(world)
    started, done = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        a @ a
        settle(world)
        done += 1
    return done * 2 * size**3 / 1e9 / (time.monotonic() - started)


def settle(world: World) -> None:
    """Until a GPU has done what it was told."""
    if world.device.type == "cuda":
        torch.cuda.synchronize(world.device)
