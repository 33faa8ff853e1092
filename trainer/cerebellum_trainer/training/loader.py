"""Batches as a stream, made on worker processes; which sample comes when depends on the seed alone.

Sample `position % n` of epoch `position // n`, in that epoch's own random order, is made with a generator of
its own. So the number of workers or of processes changes nothing, and a run that goes on at step k makes what
the uninterrupted one made there. Batches run on over the end of an epoch: none is short, nothing is dropped.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.training.failures import first_line
from cerebellum_trainer.training.seeds import stream
from cerebellum_trainer.training.world import World

Tensors = tuple[torch.Tensor, ...]


class Samples(Protocol):
    """What is streamed. Used in worker processes: files are opened there, when they are first needed."""

    def __len__(self) -> int: ...

    def sample(self, index: int, generator: np.random.Generator) -> Tensors:
        """One sample as tensors whose shapes are those of every other; `generator` belongs to it alone.

        Raises: TrainerError, which ends the run.
        """
        ...

    def name(self, index: int) -> str:
        """Where it comes from, for people."""
        ...


@dataclass(frozen=True)
class Batch:
    """Tensors (b, ...), and which samples of the set they are."""

    tensors: Tensors
    indices: tuple[int, ...]

    def to(self, device: torch.device) -> Batch:
        moved = tuple(tensor.to(device, non_blocking=True) for tensor in self.tensors)
        return Batch(moved, self.indices)


class Loader:
    def __init__(self, samples: Samples, batch: int, seed: int, world: World, workers: int = 0) -> None:
        """`batch`: samples of a step of all processes together.

        Raises: TrainerError SAMPLES_MISSING for an empty set.
        """
        if len(samples) == 0:
            raise TrainerError("SAMPLES_MISSING", "There is no sample to train on", "Name a larger set")
        self.samples = samples
        self.batch = batch
        self.seed = seed
        self.world = world
        self.workers = workers
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def batches(self, first_step: int, steps: int, accumulate: int = 1) -> Iterator[Batch]:
        """This process's part of the steps from `first_step` up to `steps`, each in `accumulate` batches.

        Raises: TrainerError BATCH_INVALID if the batch cannot be parted so, WORKER_LOST, and what a sample
        raises.
        """
        parts = self.world.size * accumulate
        if self.batch % parts or self.batch < parts:
            raise TrainerError(
                "BATCH_INVALID",
                f"A batch of {self.batch} cannot be parted among {self.world.size} processes with "
                f"{accumulate} parts each",
                f"Name a multiple of {parts}",
            )
        chosen = _Chosen(self, first_step, steps, accumulate)
        loading: DataLoader[Any] = DataLoader(
            _Made(self.samples, self.seed),
            batch_sampler=chosen,
            num_workers=self.workers,
            collate_fn=collate,
            worker_init_fn=leave_signals,
            pin_memory=self.world.device.type == "cuda",
            # Without one of its own it draws from the generator that the first step's dropout draws from.
            generator=torch.Generator(),
        )
        try:
            for made in loading:
                if isinstance(made, TrainerError):
                    raise made
                tensors, indices = made
                yield Batch(tuple(tensors), tuple(indices))
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise TrainerError(
                "WORKER_LOST",
                f"A process that decodes pictures was ended from outside: {first_line(error)}",
                "Give it more memory or name fewer --workers, then continue with --resume",
            ) from error

    def picked(self, step: int, part: int, parts: int) -> list[tuple[int, int]]:
        """(epoch, index) of the samples of a step that part `part` of `parts` gets."""
        count = len(self.samples)
        positions = range(step * self.batch + part, (step + 1) * self.batch, parts)
        return [(p // count, int(self._order_of(p // count)[p % count])) for p in positions]

    def _order_of(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            self._order = (epoch, stream(self.seed, epoch).permutation(len(self.samples)))
        return self._order[1]

    def names(self, batch: Batch) -> list[str]:
        return [self.samples.name(index) for index in batch.indices]


class _Chosen:
    """Of each batch the (epoch, index) of its samples, in order."""

    def __init__(self, loader: Loader, first_step: int, steps: int, accumulate: int) -> None:
        self._loader, self._accumulate = loader, accumulate
        self._steps = range(first_step, steps)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        world = self._loader.world
        for step in self._steps:
            for part in range(self._accumulate):
                first = part * world.size + world.rank
                yield self._loader.picked(step, first, world.size * self._accumulate)

    def __len__(self) -> int:
        return len(self._steps) * self._accumulate


class _Made(Dataset[Any]):
    def __init__(self, samples: Samples, seed: int) -> None:
        self._samples, self._seed = samples, seed

    def __getitem__(self, chosen: tuple[int, int]) -> tuple[Tensors, int] | TrainerError:
        """Trouble comes back as a value: raised in a worker it would lose its code on the way."""
        epoch, index = chosen
        try:
            return self._samples.sample(index, stream(self._seed, epoch, index)), index
        except TrainerError as error:
            return error


def collate(made: list[Any]) -> tuple[list[torch.Tensor], list[int]] | TrainerError:
    wrong = next((one for one in made if isinstance(one, TrainerError)), None)
    if wrong is not None:
        return wrong
    fields = zip(*(tensors for tensors, _ in made), strict=True)
    return [torch.stack(field) for field in fields], [index for _, index in made]


def leave_signals(_worker: int) -> None:
    """Ctrl-C reaches workers too, but when to stop is the training process's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
