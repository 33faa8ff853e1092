"""The steps of a training run: forward, backward, checks, optimiser, curves, checkpoints."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.training.checkpoints import Checkpoints
from cerebellum_trainer.training.failures import all_finite, memory_told, not_finite
from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loader import Batch, Loader, Tensors
from cerebellum_trainer.training.scalars import Scalars
from cerebellum_trainer.training.seeds import reseed
from cerebellum_trainer.training.world import World

# Key of the chance that a step's dropout draws from, beside the run's seed.
STEP_STREAM = 1


@dataclass(frozen=True)
class LoopConfig:
    """What changes nothing of the result, so that a continued run may have other values."""

    checkpoint_every: int = 200
    """Steps between checkpoints: what a killed run loses at most."""
    keep: int = 2
    """Newest checkpoints that stay."""
    log_every: int = 25
    """Steps between lines for people and points of the curves."""
    accumulate: int = 1
    """Parts in which a process computes its batch one after another, for want of memory; the gradient is that
    of the whole (but a batch norm sees a part)."""


@dataclass
class Fit:
    """What is trained, and how.

    `module`: all that a checkpoint must keep, queues and averages as buffers included.
    `loss`: of the wrapped module and a batch; the scalar to minimise, and others for the curves.
    `rate`: factor on every group's learning rate at a step, the first one being 0.
    `after_step`: what follows the optimiser, such as a moving average of weights.
    `after_save`: what the main process does when a checkpoint is written, such as a picture for people.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    loss: Callable[[nn.Module, Tensors], tuple[torch.Tensor, dict[str, torch.Tensor]]]
    loader: Loader
    steps: int
    rate: Callable[[int], float]
    architecture: dict[str, Any] = field(default_factory=dict)
    gradient_norm_max: float | None = None
    after_step: Callable[[int], None] | None = None
    after_save: Callable[[int], None] | None = None


def fit(
    run: Fit,
    config: LoopConfig,
    world: World,
    folder: RunFolder | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[float]:
    """Trains to the end, from the newest checkpoint of `folder` if there is one. Returns every step's loss.

    Raises: TrainerError LOSS_NOT_FINITE, naming the batch and the last good checkpoint; OUT_OF_MEMORY;
        INTERRUPTED when told to stop by SIGINT or SIGTERM, after a checkpoint; and what the loader or
        `Checkpoints.restore` raises.
    """
    return _Loop(run, config, world, folder, tell or (lambda _: None)).go()


class _Loop:
    def __init__(
        self,
        run: Fit,
        config: LoopConfig,
        world: World,
        folder: RunFolder | None,
        tell: Callable[[str], None],
    ) -> None:
        self.run, self.config, self.world, self.folder = run, config, world, folder
        self.tell = tell if world.is_main else lambda _: None
        self.rates = [float(group["lr"]) for group in run.optimiser.param_groups]
        self.losses: list[float] = []
        self.checkpoints = (
            Checkpoints(folder.path / "checkpoints", run.architecture, config.keep) if folder else None
        )
        run.module.to(world.device).train()
        self.wrapped = world.wrap(run.module)

    def go(self) -> list[float]:
        first = self._restore()
        scalars = Scalars(self.folder.path, first + 1) if self.folder and self.world.is_main else None
        batches = self.run.loader.batches(first, self.run.steps, self.config.accumulate)
        started, done_images = time.monotonic(), 0
        try:
            with told_to_stop() as stop:
                for step in range(first, self.run.steps):
                    values, stops = self._step(step, batches, stop.is_set())
                    done_images += self.run.loader.batch
                    done = step + 1
                    is_last = done == self.run.steps
                    if done % self.config.log_every == 0 or is_last:
                        values["images_per_s"] = done_images / (time.monotonic() - started)
                        self._log(done, values, scalars)
                    if done % self.config.checkpoint_every == 0 or is_last or stops:
                        self._save(done)
                    if stops and not is_last:
                        raise self._interrupted(done)
        finally:
            if scalars is not None:
                scalars.close()
        return self.losses

    def _step(self, step: int, batches: Iterator[Batch], asked: bool) -> tuple[dict[str, float], bool]:
        """One step of the optimiser. Returns its values, and whether some process was asked to stop."""
        reseed(self.run.loader.seed, STEP_STREAM, step, self.world.rank)
        for group, rate in zip(self.run.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.run.rate(step)
        self.run.optimiser.zero_grad(set_to_none=True)
        parts = self.config.accumulate
        total = torch.zeros((), device=self.world.device)
        seen: list[Batch] = []
        others: dict[str, torch.Tensor] = {}
        images = self.run.loader.batch // (self.world.size * parts)
        with memory_told(step, images, self.world.device):
            for part in range(parts):
                batch = next(batches)
                seen.append(batch)
                with self._unsynchronised(part < parts - 1):
                    with self.world.autocast():
                        loss, others = self.run.loss(self.wrapped, batch.to(self.world.device).tensors)
                    (loss / parts).backward()
                total += loss.detach().float() / parts
            norm = clip_grad_norm_(self.run.module.parameters(), self.run.gradient_norm_max or float("inf"))
            mean = self.world.mean(torch.stack([total, torch.tensor(float(asked)).to(total)]))
            self._check(step, total, mean[0], norm, seen)
            self.run.optimiser.step()
            if self.run.after_step is not None:
                self.run.after_step(step)
        self.losses.append(mean[0].item())
        values = {"loss": self.losses[-1], "gradient_norm": float(norm), "lr": self._rate_now()}
        return values | {name: float(value) for name, value in others.items()}, bool(mean[1] > 0)

    def _unsynchronised(self, is_inner: bool) -> AbstractContextManager[Any]:
        """Gradients travel between processes once a step, with its last part."""
        if is_inner and isinstance(self.wrapped, DistributedDataParallel):
            return self.wrapped.no_sync()
        return nullcontext()

    def _rate_now(self) -> float:
        return float(self.run.optimiser.param_groups[0]["lr"])

    def _check(
        self, step: int, own: torch.Tensor, mean: torch.Tensor, norm: torch.Tensor, seen: list[Batch]
    ) -> None:
        """Before the optimiser: weights that a NaN has reached are lost. All processes end alike."""
        if bool(torch.isfinite(mean) & torch.isfinite(norm)):
            return
        guilty = bool(torch.isfinite(mean)) or not bool(torch.isfinite(own))
        names = [name for batch in seen for name in self.run.loader.names(batch)] if guilty else []
        names = [name for each in self.world.gather(names) for name in each]
        what = f"The loss is {mean.item()}" if not torch.isfinite(mean) else f"The gradient is {norm.item()}"
        if self.folder is not None:
            self.folder.failed_batch(step, what, names)
        raise not_finite(step, what, names, self.checkpoints.newest() if self.checkpoints else None)

    def _log(self, done: int, values: dict[str, float], scalars: Scalars | None) -> None:
        if scalars is not None:
            scalars.write(done, done * self.run.loader.batch, values)
        rate = values["images_per_s"]
        self.tell(f"step {done}/{self.run.steps} loss {values['loss']:.4f} {rate:.0f} images/s")

    def _save(self, done: int) -> None:
        if self.checkpoints is None:
            return
        if not all_finite(self.run.module):
            raise not_finite(done - 1, "Weights are no numbers", [], self.checkpoints.newest())
        if not self.world.is_main:
            return
        state = {
            "module": self.run.module.state_dict(),
            "optimiser": self.run.optimiser.state_dict(),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
        }
        self.checkpoints.save(done, state)
        if self.run.after_save is not None:
            self.run.after_save(done)

    def _restore(self) -> int:
        """Steps that are done already."""
        if self.checkpoints is None:
            return 0
        state, remarks = self.checkpoints.restore(self.world.device)
        for remark in remarks:
            self.tell(f"left out: {remark}")
        if state is None:
            return 0
        self.run.module.load_state_dict(state["module"])
        self.run.optimiser.load_state_dict(state["optimiser"])
        self.losses = state["losses"].tolist()
        self.tell(f"goes on after step {state['step']}/{self.run.steps}")
        return int(state["step"])

    def _interrupted(self, done: int) -> TrainerError:
        kept = " and kept" if self.checkpoints else ""
        return TrainerError(
            "INTERRUPTED",
            f"Stopped as asked; {done} of {self.run.steps} steps are done{kept}",
            "Continue with --resume",
        )


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Set by SIGINT or SIGTERM, instead of what they do otherwise; a second SIGINT ends at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, _frame: object) -> None:
        asked.set()
        signal.signal(number, former[number])

    former: dict[int, Any] = {}
    for stopping in (signal.SIGINT, signal.SIGTERM):
        former[stopping] = signal.signal(stopping, ask)
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
